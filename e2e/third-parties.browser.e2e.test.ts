import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { OpenSession } from '@taskwire/contracts';
import { decodeJwt } from 'jose';
import * as openid from 'openid-client';
import type { BrowserContext, Page } from 'playwright-core';
import { authCommand } from './auth-command.ts';
import { startChromium, startClientSite, type TestBrowser } from './chromium.ts';
import { demoPerson, newMember, send, type Person } from './front-end.ts';
import { expectFit, phoneIn } from './mobile-viewport.ts';
import { useSuite } from './suite.ts';
import { waitFor } from '@taskwire/testing';

const audience = (service: string) => `urn:taskwire:${service}`;

describe('Third-party applications, through the gateway and in Chromium', () => {
  const suite = useSuite();
  let chromium: TestBrowser;
  let site: Awaited<ReturnType<typeof startClientSite>>;
  let client: openid.Configuration;
  let admin: Person;
  let context: BrowserContext;

  before(async function () {
    this.timeout(60_000);
    [chromium, site] = await Promise.all([startChromium(), startClientSite()]);
    const said = await authCommand(
      suite(),
      ...['client', 'add', '--id', 'dashboard', '--name', 'The Dashboard', '--secret'],
      ...['--redirect-uri', `${site.origin}/callback`],
      ...['--grant', 'urn:taskwire:tasks=tasks:read,tasks:write,admin'],
      ...['--grant', 'urn:taskwire:notifications=notifications:read,admin'],
      ...['--grant', 'urn:taskwire:auth=account:read,account:write,admin'],
    );
    client = await openid.discovery(
      new URL(`${suite().url}/oidc`),
      'dashboard',
      { id_token_signed_response_alg: 'ES256' },
      openid.ClientSecretBasic(said.split(' ').at(-1) ?? ''),
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated only to stand out; the suite under test has no TLS
      { execute: [openid.allowInsecureRequests] },
    );
    admin = await demoPerson(suite(), 'admin');
  });
  after(async () => {
    await authCommand(suite(), 'client', 'remove', '--id', 'dashboard');
    await chromium.close();
    await site.close();
  });
  beforeEach(async () => {
    context = await chromium.fresh();
  });
  afterEach(async () => {
    await context.close();
  });

  /** The URL to which the application sends a browser. */
  async function begin(service: string, scope: string) {
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const expectedState = openid.randomState();
    const url = openid.buildAuthorizationUrl(client, {
      redirect_uri: `${site.origin}/callback`,
      ...{ scope, resource: audience(service), state: expectedState },
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    });
    return { url, checks: { pkceCodeVerifier, expectedState } };
  }

  /** Logs the user in, and stops at the consent page. */
  async function asked(who: Person, service: string, scope: string, tab?: Page) {
    const page = tab ?? (await context.newPage());
    const { url, checks } = await begin(service, scope);
    await page.goto(url.href);
    if (await page.getByLabel('Password').isVisible()) {
      await page.getByLabel('E-mail address').fill(who.user.email);
      await page.getByLabel('Password').fill(who.password);
      await page.getByRole('button', { name: 'Log in' }).click();
    }
    return { page, checks };
  }

  /** The token that the application gets after the user has consented. */
  async function tokenOf(who: Person, service: string, scope: string): Promise<string> {
    const { page, checks } = await asked(who, service, scope);
    await page.getByRole('button', { name: /^Allow/ }).click();
    await page.waitForURL(`${site.origin}/callback?*`);
    const { access_token: token } = await openid.authorizationCodeGrant(client, new URL(page.url()), checks);
    return token;
  }

  type Call = [method: string, path: string, body?: unknown];

  async function answers(token: string, calls: Call[]): Promise<string[]> {
    return await Promise.all(
      calls.map(async ([method, path, body]) => {
        const init = { token, headers: { 'if-match': '*' }, ...(body === undefined ? {} : { body }) };
        const answer = await send(suite().url, method, path, init);
        return `${method} ${path}: ${answer.status} ${answer.body?.code ?? ''}`.trim();
      }),
    );
  }

  const all = (calls: Call[], what: string) => calls.map(([method, path]) => `${method} ${path}: ${what}`);

  it('with access to read tasks cannot create, change, shuffle or delete them', async () => {
    const { body: task } = await admin.call('POST', '/api/v1/tasks', { title: 'Stays as it is' });
    const token = await tokenOf(admin, 'tasks', 'tasks:read');
    expect(decodeJwt(token)).to.include({ client_id: 'dashboard', scope: 'tasks:read' });
    const one = `/api/v1/tasks/${task.id}`;
    const reads: Call[] = [
      ['GET', one],
      ['GET', '/api/v1/tasks'],
      ['GET', `${one}/activity`],
    ];
    expect(await answers(token, reads)).to.deep.equal(all(reads, '200'));
    const writes: Call[] = [
      ['POST', '/api/v1/tasks', { title: 'x' }],
      ['PATCH', one, { title: 'x' }],
      ['POST', `${one}/assign`, { assign: 'random' }],
      ['POST', `${one}/transition`, { state: 'cancelled' }],
      ['POST', '/api/v1/tasks/shuffle'],
      ['DELETE', one],
      ['GET', '/api/v1/admin/dead_letters/tasks'],
    ];
    expect(await answers(token, writes)).to.deep.equal(all(writes, '403 insufficient_scope'));
    expect((await admin.call('GET', one)).body).to.include({ title: 'Stays as it is', version: 1 });
  });

  it("with access to read an admin's notifications open no dead letters", async () => {
    const token = await tokenOf(admin, 'notifications', 'notifications:read');
    expect(await answers(token, [['GET', '/api/v1/notifications']])).to.deep.equal(['GET /api/v1/notifications: 200']);
    const closed: Call[] = [
      ['GET', '/api/v1/admin/dead_letters/notifications'],
      ['POST', '/api/v1/admin/dead_letters/notifications/replay', { filter: {} }],
      ['POST', '/api/v1/notifications/read_all'],
    ];
    expect(await answers(token, closed)).to.deep.equal(all(closed, '403 insufficient_scope'));
  });

  it("with access to an admin's account reach no other account, no role, no audit log, no password", async () => {
    const victim = await newMember(suite());
    const token = await tokenOf(admin, 'auth', 'account:read account:write');
    const other = `/api/v1/users/${victim.user.id}`;
    const closed: Call[] = [
      ['GET', '/api/v1/users'],
      ['GET', '/api/v1/admin/audit'],
      ['GET', other],
      ['PATCH', other, { role: 'admin' }],
      ['DELETE', other],
      [
        'POST',
        '/api/v1/users',
        { email: `${randomUUID()}@taskwire.test`, password: randomUUID(), name: 'E', role: 'admin' },
      ],
      ['POST', '/api/v1/invitations', { email: `${randomUUID()}@taskwire.test` }],
      ['POST', '/api/v1/auth/change_password', { current_password: admin.password, new_password: randomUUID() }],
      ['POST', '/api/v1/auth/logout_everywhere'],
      ['DELETE', `/api/v1/users/${admin.user.id}`],
      ['PATCH', `/api/v1/users/${admin.user.id}`, { email: `${randomUUID()}@taskwire.test` }],
    ];
    expect(await answers(token, closed)).to.deep.equal(all(closed, '403 insufficient_scope'));
    expect((await send(suite().url, 'GET', '/api/v1/users/me', { token })).body).to.include({ id: admin.user.id });
    const refused = async (): Promise<string[]> => {
      const filter = `client=dashboard&outcome=failure&subject=${victim.user.id}`;
      const { body } = await admin.call('GET', `/api/v1/admin/audit?${filter}`);
      return body.data.map(({ action }: { action: string }) => action).sort();
    };
    // all tests come from one network: after its first 20 refusals of a minute, the others are in the log at the end of the minute
    await waitFor(async () => expect(await refused()).to.deep.equal(['user.change', 'user.delete', 'user.read']), {
      timeoutMs: 75_000,
    });
  });

  it('that request administration need consent each time, below a warning, and withdrawing the consent ends access', async () => {
    const { page } = await asked(admin, 'auth', 'openid account:read admin');
    await page
      .getByRole('heading', { name: 'Warning: The Dashboard wants to administer Taskwire in your name' })
      .waitFor();
    const wishes = await page.getByRole('list').getByRole('listitem').allInnerTexts();
    expect(wishes).to.have.length(3);
    expect(wishes.at(-1)).to.contain('delete other people’s accounts').and.contain('audit log');
    const token = await tokenOf(admin, 'auth', 'openid account:read admin');
    const again = await asked(admin, 'auth', 'openid account:read admin');
    await again.page.getByRole('button', { name: 'Allow administration' }).waitFor();
    expect(await answers(token, [['GET', '/api/v1/admin/audit']])).to.deep.equal(['GET /api/v1/admin/audit: 200']);

    const { body: consents } = await admin.call('GET', '/api/v1/auth/consents');
    const mine = consents.data.find(({ id }: { id: string }) => id === decodeJwt(token)['sid']);
    expect(mine).to.deep.include({ client: { id: 'dashboard', name: 'The Dashboard' } });
    expect((await admin.call('DELETE', `/api/v1/auth/consents/${mine.id}`)).status).to.equal(204);
    expect(await answers(token, [['GET', '/api/v1/admin/audit']])).to.deep.equal([
      'GET /api/v1/admin/audit: 401 access_revoked',
    ]);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`have a consent page that fits a phone, with its warning, in ${colorScheme}`, async () => {
      const phone = await chromium.fresh(phoneIn(colorScheme));
      try {
        const { page } = await asked(
          admin,
          'auth',
          'openid profile email account:read account:write admin',
          await phone.newPage(),
        );
        await page.getByRole('button', { name: 'Allow administration' }).waitFor();
        await expectFit(page);
      } finally {
        await phone.close();
      }
    });
  }

  it("and browsers are among a user's sessions, which the user can end one by one on another device", async () => {
    const person = await newMember(suite());
    await tokenOf(person, 'tasks', 'openid tasks:read');
    const { body } = await person.call('GET', '/api/v1/auth/sessions');
    // in either order, because the time of a browser log-in has a resolution of seconds
    expect(body.data.map(({ kind, current }: OpenSession) => [kind, current])).to.have.deep.members([
      ['browser', false],
      ['api', true],
    ]);
    const browser = body.data.find(({ kind }: OpenSession) => kind === 'browser');
    expect(browser.user_agent).to.match(/^Chrome on /);
    expect((await person.call('DELETE', `/api/v1/auth/sessions/${browser.id}`)).status).to.equal(204);
    const page = await context.newPage();
    await page.goto((await begin('tasks', 'openid tasks:read')).url.href);
    await page.getByRole('button', { name: 'Log in' }).waitFor();
  });

  it('cannot choose the id of their requests: their own id is stored beside ours', async () => {
    const mine = `mine-${randomUUID()}`;
    const answer = await send(suite().url, 'POST', '/api/v1/auth/login', {
      body: { email: admin.user.email, password: admin.password },
      headers: { 'x-request-id': mine, 'x-client-request-id': 'of-another-caller' },
    });
    const id = answer.headers.get('x-request-id');
    expect(id).to.match(/^[0-9a-f]{32}$/);
    const found = await waitFor(async () => {
      const { body } = await admin.call('GET', `/api/v1/admin/audit?action=login&subject=${admin.user.id}&limit=5`);
      return body.data.find(({ request_id: request }: { request_id: string }) => request === id);
    });
    expect(found).to.include({ client_request_id: mine, client_id: 'first-party', outcome: 'success' });
  });
});
