import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { createRemoteJWKSet, decodeJwt, jwtVerify, type JWTPayload } from 'jose';
import { pkce, type Browser, type Page } from './support/browser.ts';
import { answerOf, loggedInBrowser } from './support/logged-in-browser.ts';
import { oidcHarness, portal, type OidcHarness, type Tokens } from './support/oidc-harness.ts';

const issuer = 'http://localhost:8080/oidc';

/**
 * The test modules of `oidcc-basic-certification-test-plan` (https://openid.net/certification/connect_op_testing/) that can be run without its
 * server. "Core" is OpenID Connect Core 1.0. The plan skips features that are not offered: client_secret_post, and the scopes address and phone.
 */
describe('the Basic OP profile of OpenID Connect', () => {
  let harness: OidcHarness;
  let keys: ReturnType<typeof createRemoteJWKSet>;
  before(async () => {
    harness = await oidcHarness();
    keys = createRemoteJWKSet(new URL(`${harness.api.baseUrl}/oidc/jwks`));
  });
  after(async () => {
    await harness.stop();
  });

  type Parameters = Record<string, string | undefined>;
  const open = async (parameters: Parameters, browser: Browser = harness.browser()): Promise<Page> =>
    await browser.open(harness.authorizeUrl({ code_challenge: pkce().challenge, ...parameters }));

  async function idToken(token: string): Promise<JWTPayload> {
    return (await jwtVerify(token, keys, { issuer, audience: portal.client_id, algorithms: ['ES256'] })).payload;
  }

  async function userinfo(token: string, init: RequestInit = {}) {
    return await harness.api.raw('/oidc/userinfo', { headers: { authorization: `Bearer ${token}` }, ...init });
  }

  describe('oidcc-server', () => {
    it('issues an ID token with the required claims, signed by a published key (Core sections 2, 3.1.3.3, 3.1.3.6, 10.1)', async () => {
      const before = Math.floor(Date.now() / 1000);
      const code = await harness.code({ parameters: { nonce: 'n-0S6_WzA2Mj' } });
      const answer = await harness.exchange(code);
      expect(answer.headers.get('cache-control')).to.equal('no-store');
      expect(answer.headers.get('content-type')).to.match(/^application\/json/);
      const tokens = answer.body as Tokens;
      expect(tokens).to.include({ token_type: 'Bearer', scope: 'openid', expires_in: 600 });
      const { payload, protectedHeader } = await jwtVerify(tokens.id_token, keys, { issuer, audience: 'portal' });
      expect(protectedHeader.alg).to.equal('ES256');
      expect(protectedHeader.kid).to.be.a('string').and.not.equal('');
      expect(payload.aud).to.equal('portal');
      expect(payload).not.to.have.property('azp');
      expect(payload.sub).to.match(/^[\x21-\x7e]{1,255}$/);
      expect(payload.iat).to.be.within(before, before + 10);
      expect(payload.exp).to.be.within(before + 60, before + 3_600);
      expect(payload['nonce']).to.equal('n-0S6_WzA2Mj');
      const half = createHash('sha256').update(tokens.access_token).digest().subarray(0, 16).toString('base64url');
      // optional in an ID token from the token endpoint
      expect([undefined, half]).to.include(payload['at_hash']);
    });

    it('returns the same subject in the ID token, at userinfo and at each later log-in (Core sections 2, 5.3.2)', async () => {
      const person = await harness.person();
      const [one, two] = [await harness.tokens({ person }), await harness.tokens({ person })];
      const subjects = [decodeJwt(one.id_token).sub, decodeJwt(two.id_token).sub];
      const { body } = await userinfo(one.access_token);
      expect([...subjects, (body as { sub: string }).sub]).to.deep.equal([person.id, person.id, person.id]);
    });

    it('responds with the state as sent and with its issuer (RFC 6749 section 4.1.2, RFC 9207 section 2)', async () => {
      const state = 'äöü &=?#"<>\\ %41+';
      const { browser } = await loggedInBrowser(harness);
      for (const page of [await open({ state }, browser), await open({ state, prompt: 'none' })]) {
        expect(answerOf(page)).to.include({ state, iss: issuer });
      }
      const without = await open({ state: undefined }, browser);
      expect(answerOf(without)).to.have.all.keys('code', 'iss');
    });
  });

  it('oidcc-response-type-missing: reports the error to the client (RFC 6749 section 4.1.2.1)', async () => {
    const page = await open({ response_type: undefined });
    expect(answerOf(page)).to.include({ error: 'invalid_request', state: 'the state', iss: issuer });
    expect(answerOf(page)).not.to.have.property('code');
  });

  describe('userinfo (Core section 5.3)', () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };

    it('is stored by no cache, and varies by token', async () => {
      const { access_token: token } = await harness.tokens();
      const { headers } = await userinfo(token);
      expect(headers.get('cache-control')).to.equal('no-store');
      expect(headers.get('vary')).to.match(/Authorization/);
    });

    it('oidcc-userinfo-get, -post-header, -post-body: accepts the token in each of these ways', async () => {
      const { access_token: token, person } = await harness.tokens({ parameters: { scope: 'openid email profile' } });
      const answers = [
        await userinfo(token),
        await userinfo(token, { method: 'POST', headers: { authorization: `Bearer ${token}` } }),
        await harness.api.form('/oidc/userinfo', { access_token: token }),
      ];
      for (const { status, body } of answers) {
        expect(status).to.equal(200);
        expect(body).to.include({ sub: person.id, email: person.email });
      }
    });

    it('accepts the token in one way at a time, and not in a URL (RFC 6750 section 2, OAuth 2.1 section 5.1)', async () => {
      const { access_token: token } = await harness.tokens();
      const headers = { ...form, authorization: `Bearer ${token}` };
      const twice = await userinfo(token, { method: 'POST', headers, body: `access_token=${token}` });
      expect(twice.status).to.equal(400);
      const answer = await harness.api.raw(`/oidc/userinfo?access_token=${token}`);
      expect(answer.status).to.be.within(400, 401);
      expect(answer.text).not.to.contain('"sub"');
    });

    it('reports errors as RFC 6750 section 3 requires', async () => {
      const none = await harness.api.raw('/oidc/userinfo');
      expect(none.status).to.be.within(400, 401);
      const wrong = await harness.api.raw('/oidc/userinfo', { headers: { authorization: 'Bearer nonsense' } });
      expect(wrong.status).to.equal(401);
      expect(wrong.headers.get('www-authenticate')).to.match(/^Bearer .*error="invalid_token"/);
      const forService = await harness.tokens({
        parameters: { scope: 'account:read account:write', resource: 'urn:taskwire:auth' },
      });
      const without = await userinfo(forService.access_token);
      expect(without.status).to.equal(403);
      expect(without.headers.get('www-authenticate')).to.match(/^Bearer .*error="insufficient_scope"/);
    });
  });

  describe('scopes and claims (Core section 5.4)', () => {
    const cases: [string, string, string[]][] = [
      ['openid alone', 'openid', ['sub']],
      ['oidcc-scope-profile', 'openid profile', ['sub', 'name', 'updated_at']],
      ['oidcc-scope-email', 'openid email', ['sub', 'email', 'email_verified']],
      [
        'oidcc-scope-all',
        'openid profile email address phone',
        ['sub', 'name', 'updated_at', 'email', 'email_verified'],
      ],
      ['oidcc-ensure-other-scope-order-succeeds', 'email openid', ['sub', 'email', 'email_verified']],
      ['an unknown scope is ignored (section 3.1.2.1)', 'openid unheard-of', ['sub']],
    ];
    for (const [what, scope, names] of cases) {
      it(`${what}: "${scope}" yields ${names.join(', ')}`, async () => {
        const tokens = await harness.tokens({ parameters: { scope } });
        const { body } = await userinfo(tokens.access_token);
        expect(body).to.have.all.keys(...names);
        // many clients never call userinfo (by Core section 5.4, these claims are returned there by default)
        expect(decodeJwt(tokens.id_token)).to.include(body);
      });
    }

    it('updated_at is a number of seconds, email_verified a boolean (Core section 5.1)', async () => {
      const { access_token: token } = await harness.tokens({ parameters: { scope: 'openid profile email' } });
      const { body } = await userinfo(token);
      const { updated_at: at, email_verified: verified } = body as Record<string, unknown>;
      expect(at).to.be.within(Date.now() / 1000 - 600, Date.now() / 1000 + 5);
      expect(verified).to.be.a('boolean');
    });

    it('a request without openid is plain OAuth: no ID token, and no access to userinfo (Core section 3.1.2.1)', async () => {
      const tokens = await harness.tokens({
        parameters: { scope: 'account:read account:write', resource: 'urn:taskwire:auth' },
      });
      expect(tokens).not.to.have.property('id_token');
      expect((await userinfo(tokens.access_token)).status).to.be.within(401, 403);
    });
  });

  describe('optional parts of a request', () => {
    const harmless: [string, Parameters][] = [
      ['oidcc-ensure-request-without-nonce-succeeds-for-code-flow', { nonce: undefined }],
      ['oidcc-ensure-request-with-unknown-parameter-succeeds (RFC 6749 section 3.1)', { extra: 'foobar' }],
      ['oidcc-display-page (Core section 3.1.2.1)', { display: 'page' }],
      ['oidcc-display-popup (Core section 3.1.2.1)', { display: 'popup' }],
      ['oidcc-ui-locales (Core section 3.1.2.1)', { ui_locales: 'se de' }],
      ['oidcc-claims-locales (Core section 5.2)', { claims_locales: 'se' }],
      ['oidcc-ensure-request-with-acr-values-succeeds (Core section 3.1.2.1)', { acr_values: '1 2' }],
      ['oidcc-claims-essential (Core section 5.5)', { claims: '{"userinfo":{"name":{"essential":true}}}' }],
      ['oidcc-ensure-request-with-valid-pkce-succeeds (RFC 7636)', {}],
      ['a parameter without a value, which counts as omitted (RFC 6749 section 3.1)', { nonce: '', login_hint: '' }],
    ];
    for (const [what, parameters] of harmless) {
      it(`${what}: succeeds`, async () => {
        const tokens = await harness.tokens({ parameters });
        expect(decodeJwt(tokens.id_token)).to.include({ sub: tokens.person.id }).and.not.have.property('nonce');
      });
    }

    it('oidcc-login-hint: fills in the form (Core section 3.1.2.1)', async () => {
      expect((await open({ login_hint: 'bob@example.org' })).text).to.contain('value="bob@example.org"');
    });

    it('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported (Core section 6.1)', async () => {
      const parts = [{ alg: 'none' }, { client_id: 'portal', scope: 'openid email' }].map((part) =>
        Buffer.from(JSON.stringify(part)).toString('base64url'),
      );
      const page = await open({ request: `${parts.join('.')}.` });
      expect(answerOf(page)).to.include({ error: 'request_not_supported', state: 'the state' });
    });

    it('oidcc-ensure-request-object-with-redirect-uri: ignores a redirect URI inside a request object (Core section 6)', async () => {
      const request = `${btoa('{"alg":"none"}')}.${btoa('{"redirect_uri":"https://evil.example/"}')}.`;
      expect((await open({ request })).url).not.to.contain('evil.example');
      const byReference = await open({ request_uri: 'https://evil.example/request.jwt' });
      expect(answerOf(byReference)).to.include({ error: 'request_uri_not_supported' });
    });

    it('oidcc-ensure-post-request-succeeds: treats a form like a URL (Core section 3.1.2.1)', async () => {
      const { browser } = await loggedInBrowser(harness);
      const { verifier, challenge } = pkce();
      const address = new URL(harness.authorizeUrl({ code_challenge: challenge, state: 'a b&c=d' }), issuer);
      const page = await browser.post(address.pathname, Object.fromEntries(address.searchParams));
      expect(answerOf(page)).to.include({ state: 'a b&c=d', iss: issuer });
      const code = { code: answerOf(page)['code'] ?? '', verifier, page, person: await harness.person() };
      expect((await harness.exchange(code)).status).to.equal(200);
      const json = await harness.api.raw('/oidc/authorize', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      expect(json.status).to.equal(415);
    });
  });

  it('oidcc-codereuse, -30seconds: a code works once, and its tokens end with the second use (Core section 3.1.3.2)', async () => {
    const code = await harness.code();
    const tokens = (await harness.exchange(code)).body as Tokens;
    expect((await userinfo(tokens.access_token)).status).to.equal(200);
    const again = await harness.exchange(code);
    expect(again.status).to.equal(400);
    expect(again.body).to.include({ error: 'invalid_grant' });
    expect((await userinfo(tokens.access_token)).status).to.equal(401);
  });

  it('oidcc-ensure-registered-redirect-uri: reports an unregistered URI to the user, and does not redirect to it (Core section 3.1.2.1)', async () => {
    const page = await open({ redirect_uri: 'https://portal.example.org/unknown' });
    expect(page.status).to.equal(400);
    expect(page.url).to.contain(issuer);
  });

  it('oidcc-refresh-token: yields an ID token of the same user, issuer, audience and log-in (Core section 12.2)', async () => {
    const parameters = { scope: 'openid offline_access', prompt: 'consent', nonce: 'first', max_age: '1000' };
    const first = await harness.tokens({ parameters });
    const fields = { grant_type: 'refresh_token', refresh_token: first.refresh_token };
    const answer = await harness.asPortal('/oidc/token', fields);
    const [before, after] = [await idToken(first.id_token), await idToken((answer.body as Tokens).id_token)];
    for (const claim of ['iss', 'sub', 'aud', 'auth_time'] as const) {
      expect(after[claim], claim).to.be.ok.and.to.equal(before[claim]);
    }
    expect(after.iat).to.be.at.least(before.iat ?? Infinity);
    expect([undefined, 'first']).to.include(after['nonce']);
  });
});
