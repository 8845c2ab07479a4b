import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import * as openid from 'openid-client';
import type { BrowserContext, Page } from 'playwright-core';
import { waitFor } from '@taskwire/testing';
import { authCommand } from './auth-command.ts';
import { startChromium, startClientSite, type TestBrowser } from './chromium.ts';
import { demoPerson, newMember, send, type Person } from './front-end.ts';
import { expectFit, phoneIn } from './mobile-viewport.ts';
import { useSuite } from './suite.ts';

describe('Log-in with OpenID Connect, with openid-client and Chromium', () => {
  const suite = useSuite();
  let chromium: TestBrowser;
  let site: Awaited<ReturnType<typeof startClientSite>>;
  let client: openid.Configuration;
  let person: Person;
  let context: BrowserContext;

  before(async function () {
    this.timeout(60_000);
    [chromium, site] = await Promise.all([startChromium(), startClientSite()]);
    const said = await authCommand(
      suite(),
      ...['client', 'add', '--id', 'portal', '--name', 'The Portal', '--secret'],
      ...['--redirect-uri', `${site.origin}/callback`, '--post-logout-redirect-uri', `${site.origin}/bye`],
      ...[
        '--grant',
        'urn:taskwire:tasks=tasks:read,tasks:write',
        '--grant',
        'urn:taskwire:auth=account:read,account:write',
      ],
    );
    const secret = said.split(' ').at(-1) ?? '';
    client = await openid.discovery(
      new URL(`${suite().url}/oidc`),
      'portal',
      { id_token_signed_response_alg: 'ES256' },
      openid.ClientSecretBasic(secret),
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated only to stand out; the suite under test has no TLS
      { execute: [openid.allowInsecureRequests] },
    );
    person = await newMember(suite(), 'Olga Open');
  });
  after(async () => {
    await chromium.close();
    await site.close();
  });
  beforeEach(async () => {
    context = await chromium.fresh();
  });
  afterEach(async () => {
    await context.close();
  });

  type Parameters = Record<string, string>;

  async function begin(
    parameters: Parameters = {},
  ): Promise<{ url: URL; checks: openid.AuthorizationCodeGrantChecks }> {
    const [pkceCodeVerifier, expectedState, expectedNonce] = [
      openid.randomPKCECodeVerifier(),
      openid.randomState(),
      openid.randomNonce(),
    ];
    const url = openid.buildAuthorizationUrl(client, {
      redirect_uri: `${site.origin}/callback`,
      scope: 'openid',
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
      ...parameters,
    });
    return { url, checks: { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true } };
  }

  async function logIn(page: Page, who: { user: { email: string }; password: string } = person): Promise<void> {
    await page.getByLabel('E-mail address').fill(who.user.email);
    await page.getByLabel('Password').fill(who.password);
    await page.getByRole('button', { name: 'Log in' }).click();
  }

  /** Goes through every page of a log-in as a user does. Returns the tokens that the client gets. */
  async function tokens(parameters: Parameters = {}, page?: Page) {
    const { url, checks } = await begin(parameters);
    const tab = page ?? (await context.newPage());
    await tab.goto(url.href);
    if (await tab.getByLabel('Password').isVisible()) await logIn(tab);
    const allow = tab.getByRole('button', { name: 'Allow' });
    if (await allow.isVisible()) await allow.click();
    await tab.waitForURL(`${site.origin}/callback?*`);
    return await openid.authorizationCodeGrant(client, new URL(tab.url()), checks);
  }

  it("leads through log-in and consent back to the client without scripts, and to the user's claims", async () => {
    const page = await context.newPage();
    const got = await tokens({ scope: 'openid email profile' }, page);
    expect(await page.getByRole('heading').innerText()).to.equal('Back');
    expect(got.claims()).to.include({ sub: person.user.id, iss: `${suite().url}/oidc`, aud: 'portal' });
    const info = await openid.fetchUserInfo(client, got.access_token, person.user.id);
    expect(info).to.include({ email: person.user.email, name: 'Olga Open', email_verified: false });
  });

  it('issues a token that only one service accepts, until it is revoked', async () => {
    const resource = 'urn:taskwire:tasks';
    const got = await tokens({ scope: 'openid offline_access tasks:read tasks:write', resource, prompt: 'consent' });
    expect(decodeJwt(got.access_token)).to.include({ aud: resource, client_id: 'portal', role: 'member' });
    const list = await waitFor(async () => {
      const answer = await send(suite().url, 'GET', '/api/v1/tasks?limit=1', { token: got.access_token });
      return answer.status === 200 && answer;
    });
    expect(list.body.data).to.be.an('array');
    expect((await send(suite().url, 'GET', '/api/v1/users/me', { token: got.access_token })).status).to.equal(401);

    const next = await openid.refreshTokenGrant(client, got.refresh_token ?? '');
    expect(next.refresh_token).to.be.a('string').and.not.to.equal(got.refresh_token);
    const shown = async () =>
      await Promise.all(
        [next.refresh_token ?? '', next.access_token].map((token) => openid.tokenIntrospection(client, token)),
      );
    for (const one of await shown()) expect(one).to.include({ active: true, sub: person.user.id });
    await openid.tokenRevocation(client, next.refresh_token ?? '');
    expect(await shown()).to.deep.equal([{ active: false }, { active: false }]);
    const refused = await openid.refreshTokenGrant(client, next.refresh_token ?? '').catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(openid.ResponseBodyError).with.property('error', 'invalid_grant');
  });

  it('ends the whole family when a refresh token is used after its successor', async () => {
    const got = await tokens({ scope: 'openid offline_access', prompt: 'consent' });
    const second = await openid.refreshTokenGrant(client, got.refresh_token ?? '');
    const third = await openid.refreshTokenGrant(client, second.refresh_token ?? '');
    for (const token of [got.refresh_token, third.refresh_token]) {
      const refused = await openid.refreshTokenGrant(client, token ?? '').catch((error: unknown) => error);
      expect(refused).to.be.instanceOf(openid.ResponseBodyError).with.property('error', 'invalid_grant');
    }
  });

  it('ends when the user is deleted', async () => {
    const leaving = await newMember(suite());
    const admin = await demoPerson(suite(), 'admin');
    const { url, checks } = await begin({ scope: 'openid offline_access', prompt: 'consent' });
    const page = await context.newPage();
    await page.goto(url.href);
    await logIn(page, leaving);
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(`${site.origin}/callback?*`);
    const got = await openid.authorizationCodeGrant(client, new URL(page.url()), checks);
    await admin.call('DELETE', `/api/v1/users/${leaving.user.id}`, undefined, { 'if-match': '*' });
    const refused = await openid.refreshTokenGrant(client, got.refresh_token ?? '').catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(openid.ResponseBodyError).with.property('error', 'invalid_grant');
    await page.goto((await begin({ prompt: 'none' })).url.href);
    expect(page.url()).to.contain('error=login_required');
  });

  it('logs out after confirmation, and returns to the client', async () => {
    const page = await context.newPage();
    const got = await tokens({}, page);
    const parameters = {
      id_token_hint: got.id_token ?? '',
      post_logout_redirect_uri: `${site.origin}/bye`,
      state: 'bye',
    };
    await page.goto(openid.buildEndSessionUrl(client, parameters).href);
    await page.getByRole('button', { name: 'Stay logged in' }).click();
    await page.waitForURL(`${site.origin}/bye?state=bye`);
    await page.goto(openid.buildEndSessionUrl(client, parameters).href);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${site.origin}/bye?state=bye`);
    await page.goto((await begin({ prompt: 'none' })).url.href);
    expect(page.url()).to.contain('error=login_required');
  });

  it('reports to the client that the user denied access', async () => {
    const page = await context.newPage();
    await page.goto((await begin()).url.href);
    await logIn(page);
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.waitForURL(`${site.origin}/callback?*`);
    expect(new URL(page.url()).searchParams.get('error')).to.equal('access_denied');
  });

  it('announces errors to screen readers too, and keeps the typed address', async () => {
    const page = await context.newPage();
    await page.goto((await begin()).url.href);
    expect(await page.title()).to.contain('Log in');
    expect(await page.locator(':focus').getAttribute('name')).to.equal('email');
    await logIn(page, { user: { email: person.user.email }, password: 'not the password' });
    const alert = page.getByRole('alert');
    expect(await alert.innerText()).to.contain('Check the e-mail address and the password');
    const password = page.getByLabel('Password');
    expect(await password.getAttribute('aria-describedby')).to.equal(await alert.getAttribute('id'));
    expect(await page.getByLabel('E-mail address').inputValue()).to.equal(person.user.email);
    expect(await password.inputValue()).to.equal('');
    expect(await page.title()).to.contain('Error');
    await logIn(page);
    await page.getByRole('button', { name: 'Allow' }).waitFor();
  });

  it('can be used with the keyboard alone', async () => {
    const page = await context.newPage();
    await page.goto((await begin()).url.href);
    await page.locator('#email:focus').waitFor();
    await page.keyboard.type(person.user.email);
    await page.keyboard.press('Tab');
    await page.keyboard.type(person.password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Allow The Portal?' }).waitFor();
    await waitFor(async () => {
      await page.keyboard.press('Tab');
      return (await page.evaluate('document.activeElement.textContent')) === 'Allow';
    });
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).to.equal('solid');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${site.origin}/callback?*`);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`fits a phone, in ${colorScheme}: nothing is wider than the screen, small to tap, or hard to read`, async () => {
      const phone = await chromium.fresh(phoneIn(colorScheme));
      try {
        const page = await phone.newPage();
        await page.goto((await begin({ login_hint: `${'a'.repeat(60)}@example.org` })).url.href);
        await expectFit(page);
        await page.getByLabel('Password').fill('x');
        await page.getByRole('button', { name: 'Log in' }).click();
        await page.getByRole('alert').waitFor();
        await expectFit(page);
        await logIn(page);
        await page.getByRole('button', { name: 'Allow' }).waitFor();
        await expectFit(page);
      } finally {
        await phone.close();
      }
    });
  }

  it('obeys its content security policy, which blocks nothing that the pages contain', async () => {
    const watched = await chromium.fresh({ javaScriptEnabled: true });
    try {
      const page = await watched.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      const { url } = await begin();
      const answer = await page.goto(url.href);
      expect(answer?.headers()['content-security-policy']).to.contain("default-src 'none'");
      await logIn(page);
      await page.getByRole('button', { name: 'Allow' }).click();
      await page.waitForURL(`${site.origin}/callback?*`);
      expect(complaints.filter((text) => !text.includes('favicon'))).to.deep.equal([]);
    } finally {
      await watched.close();
    }
  });

  it('shows an error page for an invalid request, and redirects nowhere', async () => {
    const page = await context.newPage();
    const answer = await page.goto((await begin({ redirect_uri: `https://${randomUUID()}.example/` })).url.href);
    expect(answer?.status()).to.equal(400);
    await page.getByRole('heading', { name: 'Something went wrong' }).waitFor();
    expect(page.url()).to.contain(suite().url);
  });
});
