import { expect } from 'chai';
import * as openid from 'openid-client';
import type { BrowserContext, Page } from 'playwright-core';
import { authCommand } from './auth-command.ts';
import { startChromium, startClientSite, type ClientSite, type TestBrowser } from './chromium.ts';
import { newMember, type Person } from './front-end.ts';
import { useSuite } from './suite.ts';

describe('An application whose callback redirects to another origin, in Chromium', () => {
  const suite = useSuite();
  let chromium: TestBrowser;
  let frontEnd: ClientSite;
  let backEnd: ClientSite;
  let person: Person;
  let client: openid.Configuration;
  let context: BrowserContext;
  let page: Page;

  before(async function () {
    this.timeout(60_000);
    [chromium, frontEnd] = await Promise.all([startChromium(), startClientSite()]);
    // as a front end's own back end does once it has received the tokens
    backEnd = await startClientSite((request, response) => {
      const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
      response.writeHead(302, { location: `${frontEnd.origin}${pathname}${search}` }).end();
    });
    const added = await authCommand(
      suite(),
      ...['client', 'add', '--id', 'back-end', '--name', 'Back End', '--secret'],
      ...['--redirect-uri', `${backEnd.origin}/callback`, '--post-logout-redirect-uri', `${backEnd.origin}/bye`],
      ...['--grant', 'urn:taskwire:tasks=tasks:read'],
    );
    const secret = / secret (\S+)/.exec(added)?.[1] ?? '';
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the suite under test has no TLS
    const options = { execute: [openid.allowInsecureRequests] };
    client = await openid.discovery(
      new URL(`${suite().url}/oidc`),
      'back-end',
      { client_secret: secret, id_token_signed_response_alg: 'ES256' },
      undefined,
      options,
    );
    person = await newMember(suite(), 'Bea Back');
  });
  beforeEach(async () => {
    context = await chromium.fresh();
    page = await context.newPage();
  });
  afterEach(async () => await context.close());
  after(async () => {
    await chromium.close();
    await frontEnd.close();
    await backEnd.close();
  });

  const verifier = openid.randomPKCECodeVerifier();

  async function address(more: Record<string, string> = {}): Promise<string> {
    return openid.buildAuthorizationUrl(client, {
      ...{ redirect_uri: `${backEnd.origin}/callback`, scope: 'openid', state: 'the state' },
      ...{ code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' },
      ...more,
    }).href;
  }

  async function logIn(): Promise<void> {
    await page.getByLabel('E-mail address').fill(person.user.email);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Log in' }).click();
  }

  /** The front end's final URL. */
  async function arrived(path = '/callback'): Promise<URL> {
    await page.waitForURL(`${frontEnd.origin}${path}?*`);
    return new URL(page.url());
  }

  it('gets the user back after log-in and consent, and next time after log-in alone', async () => {
    await page.goto(await address());
    await logIn();
    await page.getByRole('button', { name: 'Allow' }).click();
    const back = await arrived();
    expect(back.searchParams.get('state')).to.equal('the state');
    const answer = new URL(`${backEnd.origin}/callback${back.search}`);
    const tokens = await openid.authorizationCodeGrant(client, answer, {
      pkceCodeVerifier: verifier,
      expectedState: 'the state',
    });
    expect(tokens.claims()).to.include({ sub: person.user.id });
    await page.goto(await address({ prompt: 'login' }));
    await logIn();
    expect((await arrived()).searchParams.has('code')).to.equal(true);
  });

  it('gets the user back when they deny consent', async () => {
    await page.goto(await address({ prompt: 'consent' }));
    await logIn();
    await page.getByRole('button', { name: 'Deny' }).click();
    expect((await arrived()).searchParams.get('error')).to.equal('access_denied');
  });

  it('gets the user back when they stay logged in, and when they log out', async () => {
    await page.goto(await address({ prompt: 'consent' }));
    await logIn();
    await page.getByRole('button', { name: 'Allow' }).click();
    await arrived();
    const leaving = { post_logout_redirect_uri: `${backEnd.origin}/bye`, client_id: 'back-end', state: 'bye' };
    const logout = openid.buildEndSessionUrl(client, leaving).href;
    for (const button of ['Stay logged in', 'Log out']) {
      await page.goto(logout);
      await page.getByRole('button', { name: button }).click();
      expect((await arrived('/bye')).searchParams.get('state'), button).to.equal('bye');
      await page.goto(await address({ prompt: 'none' }));
      const { searchParams } = await arrived();
      expect(searchParams.get('error'), button).to.equal(button === 'Log out' ? 'login_required' : null);
    }
  });

  it('gets a state of 3,000 characters back, even when the request was a form', async () => {
    const state = 'x'.repeat(3_000);
    await page.goto(await address({ state }));
    await logIn();
    await page.getByRole('button', { name: 'Allow' }).click();
    expect((await arrived()).searchParams.get('state')).to.equal(state);
    const longer = new URL(await address({ state: 'y'.repeat(9_000), prompt: 'none' }));
    const inputs = [...longer.searchParams].map(([name, value]) => `<input name="${name}" value="${value}">`);
    await page.goto(`${backEnd.origin}/form`);
    await page.setContent(
      `<form method="post" action="${longer.origin}${longer.pathname}">${inputs.join('')}<button>Go</button></form>`,
    );
    await page.getByRole('button', { name: 'Go' }).click();
    expect((await arrived()).searchParams.get('state')).to.have.length(9_000);
  });
});
