import { expect } from 'chai';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { expectProblem } from './support/api.ts';
import { oidcHarness, portal, type OidcHarness, type Tokens } from './support/oidc-harness.ts';

const issuer = 'http://localhost:8080/oidc';
const offline = { scope: 'openid offline_access', prompt: 'consent' };

describe('the OpenID provider', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  const refresh = async (token: string) =>
    await harness.asPortal('/oidc/token', { grant_type: 'refresh_token', refresh_token: token });

  it('serves its metadata at each path that the RFCs name, whatever host the request names', async () => {
    const places = [
      '/oidc/.well-known/openid-configuration',
      '/oidc/.well-known/oauth-authorization-server',
      '/.well-known/oauth-authorization-server/oidc',
      '/.well-known/openid-configuration/oidc',
    ];
    for (const place of places) {
      const answer = await harness.api.raw(place, { headers: { 'x-forwarded-host': 'evil.example' } });
      expect(answer.body, place).to.deep.include({
        issuer,
        token_endpoint: `${issuer}/token`,
        authorization_endpoint: `${issuer}/authorize`,
        jwks_uri: `${issuer}/jwks`,
        userinfo_endpoint: `${issuer}/userinfo`,
        revocation_endpoint: `${issuer}/revoke`,
        introspection_endpoint: `${issuer}/introspect`,
        end_session_endpoint: `${issuer}/logout`,
        response_types_supported: ['code'],
        grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
        code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['private_key_jwt', 'client_secret_basic', 'client_secret_post', 'none'],
        id_token_signing_alg_values_supported: ['ES256'],
      });
    }
  });

  it('logs a user in for a client, which gets an ID token and the consented claims', async () => {
    const tokens = await harness.tokens({ parameters: { scope: 'openid email profile', nonce: 'the nonce' } });
    const keys = createRemoteJWKSet(new URL(`${harness.api.baseUrl}/oidc/jwks`));
    const { payload } = await jwtVerify(tokens.id_token, keys, { issuer, audience: 'portal', algorithms: ['ES256'] });
    expect(payload).to.include({ sub: tokens.person.id, nonce: 'the nonce' });
    const userinfo = await harness.api.raw('/oidc/userinfo', {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(userinfo.body).to.include({ sub: tokens.person.id, email: tokens.person.email, email_verified: false });
    expect(userinfo.body).to.have.all.keys('sub', 'email', 'email_verified', 'name', 'updated_at');
  });

  it('issues a token for one service, in the form that services read (RFC 9068, RFC 8707)', async () => {
    const resource = 'urn:taskwire:auth';
    const { access_token: token, person } = await harness.tokens({
      person: await harness.person('manager'),
      parameters: { scope: 'openid account:read account:write', resource },
    });
    const claims = decodeJwt(token);
    expect(claims).to.include({
      iss: issuer,
      sub: person.id,
      aud: resource,
      client_id: 'portal',
      role: 'manager',
      scope: 'openid account:read account:write',
    });
    expect(claims['sid']).to.match(/^[0-9a-f-]{36}$/);
    const me = await harness.api.call('me', { token });
    expect(me.status).to.equal(200);
    expect(me.body).to.include({ id: person.id });
  });

  it('issues no token for a service without a granted scope of it', async () => {
    const code = await harness.code({ parameters: { scope: 'openid', resource: 'urn:taskwire:auth' } });
    const answer = await harness.exchange(code);
    expect(answer.status).to.equal(400);
    expect(answer.body).to.include({ error: 'invalid_scope' });
  });

  it('rotates refresh tokens, with the current role in the next access token', async () => {
    const parameters = {
      scope: 'openid offline_access account:read account:write',
      resource: 'urn:taskwire:auth',
      prompt: 'consent',
    };
    const first = await harness.tokens({ parameters });
    const second = (await refresh(first.refresh_token)).body as Tokens;
    expect(second.refresh_token).to.match(/^twr_/).and.not.to.equal(first.refresh_token);
    expect(decodeJwt(second.access_token)['sid']).to.equal(decodeJwt(first.access_token)['sid']);
    const third = (await refresh(second.refresh_token)).body as Tokens;
    expect((await harness.api.call('me', { token: third.access_token })).status).to.equal(200);
  });

  it('issues no refresh token without offline_access', async () => {
    const { body } = await harness.exchange(await harness.code());
    expect(body).not.to.have.property('refresh_token');
  });

  it('describes opaque tokens to their own client only', async () => {
    const tokens = await harness.tokens({ parameters: offline });
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      const { body } = await harness.asPortal('/oidc/introspect', { token });
      expect(body).to.include({ active: true, client_id: 'portal', sub: tokens.person.id });
      const other = await harness.api.form('/oidc/introspect', { token, client_id: 'spa' });
      expect(other.body).to.deep.equal({ active: false });
    }
    const { body } = await harness.asPortal('/oidc/introspect', { token: 'nonsense' });
    expect(body).to.deep.equal({ active: false });
  });

  it('revokes everything from one consent with one of its tokens (RFC 7009)', async () => {
    for (const name of ['refresh_token', 'access_token'] as const) {
      const tokens = await harness.tokens({ parameters: offline });
      expect((await harness.asPortal('/oidc/revoke', { token: tokens[name] })).status).to.equal(200);
      for (const token of [tokens.access_token, tokens.refresh_token]) {
        expect((await harness.asPortal('/oidc/introspect', { token })).body).to.deep.equal({ active: false });
      }
      expect((await refresh(tokens.refresh_token)).body).to.include({ error: 'invalid_grant' });
    }
  });

  it("doesn't let a client revoke tokens of another", async () => {
    const tokens = await harness.tokens({ parameters: offline });
    expect((await harness.api.form('/oidc/revoke', { token: tokens.refresh_token, client_id: 'spa' })).status).to.equal(
      200,
    );
    expect((await refresh(tokens.refresh_token)).status).to.equal(200);
  });

  it('remembers a browser: no second log-in, and no second consent to the same scopes', async () => {
    const browser = harness.browser();
    const person = await harness.person();
    await harness.code({ browser, person });
    const page = await browser.open(harness.authorizeUrl({ code_challenge: 'x'.repeat(43), prompt: 'none' }));
    expect(page.url).to.match(/^https:\/\/portal\.example\.org\/callback\?code=/);
  });

  it('asks again if a log-in is older than the client accepts, and reports login_required if it may not ask', async () => {
    const page = await harness.browser().open(harness.authorizeUrl({ code_challenge: 'x'.repeat(43), prompt: 'none' }));
    expect(new URL(page.url).searchParams.get('error')).to.equal('login_required');
    const browser = harness.browser();
    await harness.code({ browser });
    const again = await browser.open(harness.authorizeUrl({ code_challenge: 'x'.repeat(43), max_age: '0' }));
    expect(again.text).to.contain('<h1>Log in</h1>');
  });

  it("logs the user out after confirmation, ends the browser's grants, and returns to the client's registered URI", async () => {
    const browser = harness.browser();
    const person = await harness.person();
    const tokens = await harness.tokens({ browser, person });
    const back = 'https://portal.example.org/bye';
    const query = new URLSearchParams({ id_token_hint: tokens.id_token, post_logout_redirect_uri: back, state: 'bye' });
    const isActive = async (token: string) =>
      ((await harness.asPortal('/oidc/introspect', { token })).body as { active: boolean }).active;
    const asked = await browser.open(`/oidc/logout?${query.toString()}`);
    expect(asked.text).to.contain('<h1>Log out?</h1>');
    expect(await isActive(tokens.access_token)).to.equal(true);
    const gone = await browser.submit(asked, { logout: 'yes' });
    expect(gone.url).to.equal(`${back}?state=bye`);
    expect(await isActive(tokens.access_token)).to.equal(false);
    const page = await browser.open(harness.authorizeUrl({ code_challenge: 'x'.repeat(43), prompt: 'none' }));
    expect(new URL(page.url).searchParams.get('error')).to.equal('login_required');
  });

  it('keeps access granted for use while the user is away after a log-out (OpenID Connect Core section 11)', async () => {
    const browser = harness.browser();
    const tokens = await harness.tokens({ browser, parameters: offline });
    await browser.submit(await browser.open('/oidc/logout'), { logout: 'yes' });
    expect((await refresh(tokens.refresh_token)).status).to.equal(200);
  });

  for (const [what, end] of [
    [
      'a demotion',
      async (id: string, admin: string) =>
        await harness.api.call('changeUser', { token: admin, params: { id }, body: { role: 'member' } }),
    ],
    [
      'a deletion',
      async (id: string, admin: string) => await harness.api.call('deleteUser', { token: admin, params: { id } }),
    ],
  ] as const) {
    it(`ends everything at ${what}: tokens, codes, and the browser log-in`, async () => {
      const { email, password } = await harness.person('admin');
      const { body } = await harness.api.call('login', { body: { email, password } });
      const person = await harness.person('manager');
      const browser = harness.browser();
      const parameters = {
        scope: 'openid offline_access account:read account:write',
        resource: 'urn:taskwire:auth',
        prompt: 'consent',
      };
      const tokens = await harness.tokens({ person, browser, parameters });
      const waiting = await harness.code({ person, browser, parameters });
      await end(person.id, (body as { access_token: string }).access_token);
      expect((await refresh(tokens.refresh_token)).body).to.include({ error: 'invalid_grant' });
      expectProblem(await harness.api.call('me', { token: tokens.access_token }), 'access_revoked');
      expect((await harness.exchange(waiting)).body).to.include({ error: 'invalid_grant' });
      const page = await browser.open(harness.authorizeUrl({ code_challenge: 'x'.repeat(43), prompt: 'none' }));
      expect(new URL(page.url).searchParams.get('error')).to.equal('login_required');
    });
  }

  it('stores hashes only: no code, token or cookie is anywhere in the database', async () => {
    const browser = harness.browser();
    const open = await browser.open(
      harness.authorizeUrl({ code_challenge: 'x'.repeat(43), login_hint: 'a@example.org' }),
    );
    const code = await harness.code({ browser, parameters: offline });
    const tokens = (await harness.exchange(code)).body as Tokens;
    const { rows } = await harness.database.db.pool.query<{ text: string }>(
      `SELECT a::text AS text FROM oidc_artifacts a UNION ALL SELECT s::text FROM sessions s
       UNION ALL SELECT r::text FROM refresh_tokens r UNION ALL SELECT c::text FROM clients c`,
    );
    const everything = rows.map(({ text }) => text).join('\n');
    const cookies = [...browser.cookies.values()].map(({ value }) => value);
    const secrets = [code.code, tokens.access_token, tokens.refresh_token, portal.client_secret, ...cookies];
    for (const secret of [...secrets, new URL(open.url).pathname.split('/').at(-1) ?? '']) {
      expect(secret).to.have.length.above(15);
      expect(everything).not.to.contain(secret);
    }
  });
});
