import { expect } from 'chai';
import * as oauth from 'oauth4webapi';
import type { BrowserContext, Page } from 'playwright-core';
import { authCommand } from './auth-command.ts';
import { startChromium, startClientSite, type TestBrowser } from './chromium.ts';
import { newMember, send, type Person } from './front-end.ts';
import { useSuite } from './suite.ts';

// eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated only to stand out; the suite under test has no TLS
const insecure = { [oauth.allowInsecureRequests]: true };

describe('A public client, with oauth4webapi and Chromium', () => {
  const suite = useSuite();
  const client: oauth.Client = { client_id: 'single-page', id_token_signed_response_alg: 'ES256' };
  let chromium: TestBrowser;
  let site: Awaited<ReturnType<typeof startClientSite>>;
  let server: oauth.AuthorizationServer;
  let person: Person;
  let context: BrowserContext;
  let page: Page;
  /** The items of the latest consent page. */
  let wishes: string[];

  before(async function () {
    this.timeout(60_000);
    [chromium, site] = await Promise.all([startChromium(), startClientSite()]);
    await authCommand(
      suite(),
      ...[
        'client',
        'add',
        '--id',
        client.client_id,
        '--public',
        '--grant',
        'urn:taskwire:tasks=tasks:read,tasks:write',
      ],
      ...['--grant', 'urn:taskwire:api=tasks:read,notifications:read,account:read'],
      ...['--redirect-uri', `${site.origin}/callback`, '--post-logout-redirect-uri', `${site.origin}/bye`],
    );
    const issuer = new URL(`${suite().url}/oidc`);
    server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
    person = await newMember(suite(), 'Pola Public');
    context = await chromium.fresh();
    page = await context.newPage();
  });
  after(async () => {
    await context.close();
    await chromium.close();
    await site.close();
  });

  /** Logs in through the pages, with a code and PKCE; the library checks state, iss, nonce, at_hash, the signature and the time of the log-in. */
  async function logIn(parameters: Record<string, string> = {}): Promise<oauth.TokenEndpointResponse> {
    const [verifier, state, nonce] = [
      oauth.generateRandomCodeVerifier(),
      oauth.generateRandomState(),
      oauth.generateRandomNonce(),
    ];
    const address = new URL(server.authorization_endpoint ?? '');
    address.search = new URLSearchParams({
      client_id: client.client_id,
      redirect_uri: `${site.origin}/callback`,
      response_type: 'code',
      scope: 'openid offline_access email',
      prompt: 'consent',
      max_age: '3600',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
      ...parameters,
    }).toString();
    await page.goto(address.href);
    if (await page.getByLabel('Password').isVisible()) {
      await page.getByLabel('E-mail address').fill(person.user.email);
      await page.getByLabel('Password').fill(person.password);
      await page.getByRole('button', { name: 'Log in' }).click();
    }
    const allow = page.getByRole('button', { name: 'Allow' });
    await allow.waitFor();
    wishes = await page.getByRole('list').getByRole('listitem').allInnerTexts();
    await allow.click();
    await page.waitForURL(`${site.origin}/callback?*`);
    const answer = oauth.validateAuthResponse(server, client, new URL(page.url()), state);
    const response = await oauth.authorizationCodeGrantRequest(
      ...([server, client, oauth.None(), answer, `${site.origin}/callback`, verifier, insecure] as const),
    );
    const checks = { expectedNonce: nonce, maxAge: 3_600, requireIdToken: true };
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, checks);
    await oauth.validateApplicationLevelSignature(server, response, insecure);
    return tokens;
  }

  async function refresh(
    token: string | undefined,
    additionalParameters: Record<string, string> = {},
  ): Promise<Response> {
    const options = { ...insecure, additionalParameters };
    return await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token ?? '', options);
  }

  async function refreshed(...given: Parameters<typeof refresh>): Promise<oauth.TokenEndpointResponse> {
    return await oauth.processRefreshTokenResponse(server, client, await refresh(...given));
  }

  async function refusalOf(token: string | undefined): Promise<unknown> {
    return ((await (await refresh(token)).json()) as { error: unknown }).error;
  }

  it("gets tokens through the pages, and the user's claims at userinfo", async () => {
    const tokens = await logIn();
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    expect(claims).to.include({ sub: person.user.id, aud: client.client_id, iss: `${suite().url}/oidc` });
    const response = await oauth.userInfoRequest(server, client, tokens.access_token, insecure);
    const info = await oauth.processUserInfoResponse(server, client, person.user.id, response);
    expect(info).to.deep.equal({ sub: person.user.id, email: person.user.email, email_verified: false });
  });

  it('stays logged in when two tabs refresh at once, and gets the same next token in both', async () => {
    const { refresh_token: first } = await logIn();
    const [one, two] = await Promise.all([refreshed(first), refreshed(first)]);
    expect(one.refresh_token).to.be.a('string').and.to.equal(two.refresh_token).and.not.to.equal(first);
    expect((await refreshed(one.refresh_token)).access_token).to.be.a('string');
  });

  it('loses all access when a refresh token is used after its successor (RFC 9700 section 4.14.2)', async () => {
    const { refresh_token: first } = await logIn();
    const second = await refreshed(first);
    const third = await refreshed(second.refresh_token);
    expect(await refusalOf(first)).to.equal('invalid_grant');
    expect(await refusalOf(third.refresh_token)).to.equal('invalid_grant');
  });

  it('calls all services with one token (RFC 8707), and gets one for a single service with its refresh token', async () => {
    const scope = 'openid offline_access tasks:read notifications:read account:read';
    const tokens = await logIn({ scope, resource: 'urn:taskwire:api' });
    const shown = wishes.join('\n');
    for (const words of ['see tasks', 'see your notifications', 'see your account']) expect(shown).to.contain(words);
    const calls = ['/api/v1/users/me', '/api/v1/tasks?limit=1', '/api/v1/notifications?limit=1'];
    const statuses = async (token: string) =>
      await Promise.all(calls.map(async (path) => (await send(suite().url, 'GET', path, { token })).status));
    expect(await statuses(tokens.access_token)).to.deep.equal([200, 200, 200]);
    const created = await send(suite().url, 'POST', '/api/v1/tasks', {
      token: tokens.access_token,
      body: { title: 'x' },
    });
    expect(created.body).to.include({ code: 'insufficient_scope' });
    const narrow = await refreshed(tokens.refresh_token, { resource: 'urn:taskwire:tasks' });
    expect(await statuses(narrow.access_token)).to.deep.equal([401, 200, 401]);
    const again = await refreshed(narrow.refresh_token);
    expect(await statuses(again.access_token)).to.deep.equal([200, 200, 200]);
    expect(await (await refresh(again.refresh_token, { resource: 'urn:taskwire:x' })).json()).to.include({
      error: 'invalid_target',
    });
  });

  it('ends its grant by revoking the access token for a service (RFC 7009)', async () => {
    const tokens = await logIn({
      scope: 'openid offline_access tasks:read tasks:write',
      resource: 'urn:taskwire:tasks',
    });
    const list = await send(suite().url, 'GET', '/api/v1/tasks?limit=1', { token: tokens.access_token });
    expect(list.status).to.equal(200);
    const response = await oauth.revocationRequest(server, client, oauth.None(), tokens.access_token, insecure);
    expect(await oauth.processRevocationResponse(response)).to.equal(undefined);
    const asked = await oauth.introspectionRequest(server, client, oauth.None(), tokens.access_token, insecure);
    expect(await oauth.processIntrospectionResponse(server, client, asked)).to.deep.equal({ active: false });
    expect(await refusalOf(tokens.refresh_token)).to.equal('invalid_grant');
  });

  it('logs the user out of the browser (RP-Initiated Logout 1.0), including with a form', async () => {
    const { id_token: hint = '' } = await logIn();
    const fields = { id_token_hint: hint, post_logout_redirect_uri: `${site.origin}/bye`, state: 'gone' };
    const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
    await page.goto(`${site.origin}/bye`);
    await page.setContent(
      `<form method="post" action="${server.end_session_endpoint}">${inputs.join('')}<button>Go</button></form>`,
    );
    await page.getByRole('button', { name: 'Go' }).click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${site.origin}/bye?state=gone`);
    await page.goto(
      `${suite().url}/oidc/authorize?${new URLSearchParams({
        ...{ client_id: client.client_id, response_type: 'code', scope: 'openid', prompt: 'none' },
        ...{ redirect_uri: `${site.origin}/callback`, code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' },
      }).toString()}`,
    );
    expect(page.url()).to.contain('error=login_required');
  });
});
