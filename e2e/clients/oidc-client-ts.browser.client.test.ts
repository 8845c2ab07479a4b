import { expect } from 'chai';
import type { User, UserManager } from 'oidc-client-ts';
import type { BrowserContext, Page } from 'playwright-core';
import { authCommand } from '../auth-command.ts';
import { startChromium, startClientSite, type ClientSite, type TestBrowser } from '../chromium.ts';
import { newMember, type Person } from '../front-end.ts';
import { singlePageApp } from './single-page-app.ts';
import { useSuite } from '../suite.ts';

/** Globals of the application's pages, see single-page-app.ts. */
declare const manager: UserManager;
declare const log: string[];
declare const ready: Promise<void>;

type Renewed = Pick<User, 'access_token' | 'refresh_token' | 'scope' | 'profile'>;

describe('A single-page application from another origin, with oidc-client-ts in Chromium', () => {
  const suite = useSuite();
  let chromium: TestBrowser;
  let site: ClientSite;
  let person: Person;
  let context: BrowserContext;
  let page: Page;

  before(async function () {
    this.timeout(60_000);
    [chromium, site] = await Promise.all([startChromium(), startClientSite(singlePageApp)]);
    await authCommand(
      suite(),
      ...['client', 'add', '--id', 'front-end', '--public', '--grant', 'urn:taskwire:tasks=tasks:read,tasks:write'],
      ...['--redirect-uri', `${site.origin}/callback`, '--post-logout-redirect-uri', `${site.origin}/bye`],
    );
    person = await newMember(suite(), 'Frida Front');
  });
  beforeEach(async () => {
    context = await chromium.fresh({ javaScriptEnabled: true });
    page = await context.newPage();
  });
  afterEach(async () => await context.close());
  after(async () => {
    await chromium.close();
    await site.close();
  });

  /** Logs in through the pages, with a code and PKCE, and gets one token for userinfo and the API. */
  async function logIn(more: object = {}): Promise<Renewed> {
    const settings = {
      authority: `${suite().url}/oidc`,
      client_id: 'front-end',
      redirect_uri: `${site.origin}/callback`,
      post_logout_redirect_uri: `${site.origin}/bye`,
      scope: 'openid profile email offline_access tasks:read',
      resource: 'urn:taskwire:tasks',
      loadUserInfo: true,
      automaticSilentRenew: false,
      ...more,
    };
    await page.goto(`${site.origin}/?settings=${encodeURIComponent(JSON.stringify(settings))}`);
    await Promise.all([
      page.waitForURL(`${suite().url}/oidc/interaction/*`),
      page.evaluate(() => void manager.signinRedirect({ prompt: 'consent' })),
    ]);
    await page.getByLabel('E-mail address').fill(person.user.email);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(`${site.origin}/callback?*`);
    await page.evaluate(async () => await ready);
    return await userOf(page);
  }

  async function userOf(tab: Page): Promise<Renewed> {
    const user = await tab.evaluate(async () => {
      const { access_token, refresh_token, scope, profile } = (await manager.getUser()) as User;
      return { access_token, refresh_token, scope, profile };
    });
    return user as Renewed;
  }

  const renew = async (tab: Page) => await tab.evaluate(async () => (await manager.signinSilent())?.refresh_token);

  const statusOf = async (path: string, token: string): Promise<number> =>
    (await fetch(`${suite().url}${path}`, { headers: { authorization: `Bearer ${token}` } })).status;

  it('logs in with code and PKCE, reads userinfo, and has one token for that and the API', async () => {
    const user = await logIn();
    expect(user.profile).to.include({ sub: person.user.id, name: 'Frida Front', email: person.user.email });
    expect(user.scope).to.include('openid').and.include('tasks:read');
    expect(await statusOf('/api/v1/tasks?limit=1', user.access_token)).to.equal(200);
  });

  it('renews its tokens by itself before they expire', async () => {
    // the tokens live for 600 s, so the first is renewed after 2 s
    const first = await logIn({ automaticSilentRenew: true, accessTokenExpiringNotificationTimeInSeconds: 598 });
    await page.waitForFunction(() => log.filter((entry) => entry === 'user loaded').length > 1);
    const second = await userOf(page);
    expect(second.access_token).not.to.equal(first.access_token);
    expect(await page.evaluate(() => log.filter((entry) => entry !== 'user loaded'))).to.deep.equal([]);
  });

  it('renews in two tabs at once, and stays logged in in both', async () => {
    const { refresh_token: first } = await logIn();
    const other = await context.newPage();
    await other.goto(`${site.origin}/`);
    const renewed = await Promise.all([renew(page), renew(other)]);
    expect(renewed[0]).to.be.a('string').and.equal(renewed[1]).and.not.equal(first);
    expect(await renew(other))
      .to.be.a('string')
      .and.not.equal(renewed[0]);
    expect((await userOf(page)).profile.email).to.equal(person.user.email);
  });

  it('revokes its tokens, which ends everything obtained through the log-in', async () => {
    const user = await logIn();
    await page.evaluate(async () => await manager.revokeTokens(['access_token', 'refresh_token']));
    expect(await statusOf('/oidc/userinfo', user.access_token)).to.equal(401);
    const refused = await page.evaluate(async (token) => {
      const { metadataService } = manager;
      const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'front-end', refresh_token: token });
      const answer = await fetch((await metadataService.getTokenEndpoint()) ?? '', { method: 'POST', body });
      return { status: answer.status, body: await answer.json(), id: answer.headers.get('x-request-id') };
    }, user.refresh_token ?? '');
    expect(refused).to.deep.include({ status: 400 });
    expect(refused.body).to.include({ error: 'invalid_grant' });
    expect(refused.id, 'a header that scripts may read').to.match(/^[0-9a-f]{32}$/);
  });

  it('logs out, and returns to the application without a user', async () => {
    await logIn();
    await Promise.all([
      page.waitForURL(`${suite().url}/oidc/logout?*`),
      page.evaluate(() => void manager.signoutRedirect()),
    ]);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${site.origin}/bye`);
    await page.evaluate(async () => await ready);
    expect(await page.evaluate(async () => await manager.getUser())).to.equal(null);
  });

  it('is refused at an origin that is neither its own nor in CORS_ORIGINS', async () => {
    const other = await startClientSite(singlePageApp, { host: 'localhost', port: 0 });
    await page.goto(`${other.origin}/`);
    const failure = await page.evaluate(async (url) => {
      const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'front-end', refresh_token: 'x' });
      return await fetch(`${url}/oidc/token`, { method: 'POST', body }).catch((error: unknown) => String(error));
    }, suite().url);
    await other.close();
    expect(failure).to.equal('TypeError: Failed to fetch');
  });
});

describe('A page from an origin in CORS_ORIGINS in Chromium', () => {
  const suite = useSuite();
  let chromium: TestBrowser;
  let site: ClientSite;
  before(async function () {
    this.timeout(60_000);
    const [origin = ''] = suite().corsOrigins;
    const at = { host: 'localhost', port: Number(new URL(origin).port) };
    [chromium, site] = await Promise.all([startChromium(), startClientSite(singlePageApp, at)]);
  });
  after(async () => {
    await chromium.close();
    await site.close();
  });

  it('creates and changes a task with the headers of tracing libraries, and reads the headers of the responses', async () => {
    const person = await newMember(suite(), 'Cora Cors');
    const context = await chromium.fresh({ javaScriptEnabled: true });
    const page = await context.newPage();
    await page.goto(`${site.origin}/`);
    const answers = await page.evaluate(
      async ({ url, token }) => {
        const common = {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'x-timeout-ms': '10000',
          'x-requested-with': 'XMLHttpRequest',
          'cache-control': 'no-cache',
          baggage: 'a=b',
          'sentry-trace': '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1',
          traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
          tracestate: 'a=b',
        };
        const read = async (answer: Response) => ({
          status: answer.status,
          etag: answer.headers.get('etag'),
          requestId: answer.headers.get('x-request-id'),
          challenge: answer.headers.get('www-authenticate'),
          body: (await answer.json()) as { id: string },
        });
        const create = { method: 'POST', headers: { ...common, 'idempotency-key': crypto.randomUUID() } };
        const body = JSON.stringify({ title: 'From another origin' });
        const created = await read(await fetch(`${url}/api/v1/tasks`, { ...create, body }));
        const changed = await fetch(`${url}/api/v1/tasks/${created.body.id}`, {
          method: 'PATCH',
          headers: { ...common, 'if-match': created.etag ?? '' },
          body: JSON.stringify({ title: 'Changed' }),
        });
        const refused = await fetch(`${url}/api/v1/tasks`, { headers: { authorization: 'Bearer x' } });
        return [created, await read(changed), await read(refused)];
      },
      { url: suite().url, token: person.token },
    );
    await context.close();
    expect(answers.map(({ status }) => status)).to.deep.equal([201, 200, 401]);
    for (const { requestId } of answers) expect(requestId).to.match(/^[0-9a-f]{32}$/);
    expect(answers[0]?.etag).to.be.a('string');
    expect(answers[2]?.challenge).to.match(/^Bearer/);
  });
});
