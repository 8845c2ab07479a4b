import { request as httpRequest } from 'node:http';
import { once } from 'node:events';
import { expect } from 'chai';
import { basic } from './support/auth-harness.ts';
import { pkce } from './support/browser.ts';
import { answerOf } from './support/logged-in-browser.ts';
import { desktop, oidcHarness, portal, spa, type OidcHarness, type Tokens } from './support/oidc-harness.ts';

const issuer = 'http://localhost:8080/oidc';

/**
 * The requirements of OAuth 2.1 (draft-ietf-oauth-v2-1), RFC 8414, RFC 9207 and RFC 9700 for a server, apart from those that the tests of attacks and
 * of the Basic OP profile cover.
 */
describe('an authorization server of OAuth 2.1', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  const challenge = pkce().challenge;
  const raw = async (path: string, init: RequestInit = {}) =>
    await fetch(`${harness.api.baseUrl}${path}`, { redirect: 'manual', ...init });

  describe('the metadata', () => {
    type Metadata = Record<string, unknown> & { jwks_uri: string };
    const metadata = async () => (await harness.api.raw('/oidc/.well-known/openid-configuration')).body as Metadata;

    it('contain what OpenID Connect Discovery 1.0 section 3 and RFC 8414 section 2 require', async () => {
      const found = await metadata();
      for (const name of ['issuer', 'authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri']) {
        expect(found[name], name).to.match(/^http:\/\/localhost:8080\/oidc(\/|$)/);
      }
      expect(found).to.deep.include({
        issuer,
        subject_types_supported: ['public'],
        scopes_supported: ['openid', 'offline_access', 'profile', 'email'],
        authorization_response_iss_parameter_supported: true,
        request_uri_parameter_supported: false,
      });
      // an absent capability is not supported
      expect(found).not.to.have.property('request_parameter_supported', true);
      expect(found['claims_supported']).to.include.members(['sub', 'iss', 'auth_time', 'email', 'name']);
      const algorithms = Object.entries(found).filter(([name]) => name.endsWith('_alg_values_supported'));
      expect(algorithms).to.have.length.above(1);
      for (const [name, values] of algorithms) expect(values, name).to.not.include.members(['none']);
      expect(JSON.stringify(algorithms)).not.to.match(/HS\d/);
    });

    it('name only endpoints that respond', async () => {
      const found = await metadata();
      const endpoints = Object.entries(found).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name));
      expect(endpoints).to.have.length.above(6);
      for (const [name, address] of endpoints) {
        const { pathname } = new URL(String(address));
        const got = await raw(pathname);
        const posted = got.status === 404 ? await raw(pathname, { method: 'POST' }) : got;
        expect(posted.status, name).to.be.oneOf([200, 303, 400, 401]);
      }
    });

    it('publish the keys, each with an id and a use, and no private part (RFC 7517 section 4)', async () => {
      const answer = await harness.api.raw('/oidc/jwks');
      expect(answer.headers.get('cache-control')).to.equal('public, max-age=300');
      const { keys } = answer.body as { keys: Record<string, unknown>[] };
      expect(keys).to.have.length.above(0);
      for (const key of keys) {
        expect(key).to.have.all.keys('kty', 'crv', 'x', 'y', 'kid', 'use', 'alg');
        expect(key).to.include({ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' });
      }
    });
  });

  describe('the authorization endpoint', () => {
    const errors: [string, Record<string, string | undefined>, string][] = [
      ['an unknown response type (section 4.1.2.1)', { response_type: 'magic' }, 'unsupported_response_type'],
      ['no code_challenge (section 4.1.1, RFC 9700 section 2.1.1)', { code_challenge: undefined }, 'invalid_request'],
      ['a short code_challenge (RFC 7636 section 4.2)', { code_challenge: 'x' }, 'invalid_request'],
      ['another PKCE method (RFC 7636 section 4.3)', { code_challenge_method: 'S512' }, 'invalid_request'],
      ['an unknown prompt', { prompt: 'select_account' }, 'invalid_request'],
      ['a max_age that is not a number', { max_age: 'soon' }, 'invalid_request'],
      ['an unknown response mode', { response_mode: 'pigeon' }, 'unsupported_response_mode'],
      ['an unknown audience (RFC 8707 section 2)', { resource: 'urn:taskwire:none' }, 'invalid_target'],
      ['a registration (OpenID Connect Core section 7.2.1)', { registration: '{}' }, 'registration_not_supported'],
    ];
    for (const [what, parameters, error] of errors) {
      it(`reports ${what} to the client as ${error}, with its state and our issuer (RFC 9207 section 2.1)`, async () => {
        const page = await harness.browser().open(harness.authorizeUrl({ code_challenge: challenge, ...parameters }));
        const answer = answerOf(page);
        expect(answer).to.include({ error, state: 'the state', iss: issuer });
        expect(answer).not.to.have.any.keys('code', 'access_token', 'id_token');
      });
    }

    it('refuses a repeated parameter (section 3.1)', async () => {
      for (const name of ['state', 'scope', 'client_id', 'code_challenge', 'nonce']) {
        const address = `${harness.authorizeUrl({ code_challenge: challenge, nonce: 'a' })}&${name}=b`;
        const page = await harness.browser().open(address);
        const refused = page.status === 400 || answerOf(page)['error'] === 'invalid_request';
        expect(refused, `${name} ${page.url}`).to.equal(true);
      }
    });

    it('redirects with 303, so that no browser sends a password to the client (section 7.5.3, RFC 9700 section 4.12)', async () => {
      const answer = await raw(harness.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
      expect(answer.status).to.equal(303);
      const begun = await raw(harness.authorizeUrl({ code_challenge: challenge }));
      expect(begun.status).to.equal(303);
    });

    it('is readable by no script, and sends no referrer (section 3.1, 7.12)', async () => {
      const headers = { origin: 'https://evil.example' };
      const answer = await raw(harness.authorizeUrl({ code_challenge: challenge }), { headers });
      expect(answer.headers.get('access-control-allow-origin')).to.equal(null);
      expect(answer.headers.get('referrer-policy')).to.equal('no-referrer');
      expect(answer.headers.get('cache-control')).to.match(/no-store/);
    });

    it("accepts a native app's loopback address with any port, and nothing that only resembles one (section 8.4.2)", async () => {
      const at = async (redirect_uri: string) =>
        await harness
          .browser()
          .open(harness.authorizeUrl({ client_id: desktop.client_id, redirect_uri, code_challenge: challenge }));
      for (const uri of ['http://127.0.0.1:1/done', 'http://127.0.0.1:65535/done', 'org.example.desktop:/done']) {
        expect((await at(uri)).text, uri).to.contain('<h1>Log in</h1>');
      }
      const wrong = [
        'http://127.0.0.1:7777@evil.example/done',
        'http://evil@127.0.0.1:7777/done',
        'http://127.0.0.1:7777/done/../other',
        'http://127.0.0.1:7777/Done',
        'http://127.0.0.1:7777/done?x',
        'http://127.0.0.1:7777/done#x',
        'http://127.0.0.2:7777/done',
        'http://[::1]:7777/done',
        'http://2130706433:7777/done',
        'https://127.0.0.1:7777/done',
        'http://127.0.0.1:port/done',
        'org.example.desktop:/other',
        'ORG.example.desktop:/done',
      ];
      for (const uri of wrong) expect((await at(uri)).status, uri).to.equal(400);
    });

    it("compares a web client's address character by character (section 2.3.1, RFC 3986 section 6.2.1)", async () => {
      const wrong = [
        'https://portal.example.org/call',
        'https://portal.example.org/callbackevil',
        'https://portal.example.org/callback%2f..',
        'https://portal.example.org/%63allback',
        'https://portal.example.org:443/callback',
        'https://portal.example.org./callback',
        'https://user@portal.example.org/callback',
        'https://portal.example.org/callback;x',
        'https://portal.example.org\\@evil.example/callback',
        'https://portal.example.org/\tcallback',
        ' https://portal.example.org/callback',
        'HTTPS://portal.example.org/callback',
        portal.client_id,
        spa.redirectUri,
      ];
      for (const redirect_uri of wrong) {
        const page = await harness.browser().open(harness.authorizeUrl({ redirect_uri, code_challenge: challenge }));
        expect(page.status, redirect_uri).to.equal(400);
      }
    });
  });

  describe('the token endpoint', () => {
    it('accepts POST only, and no secrets in the URL (section 3.2, 2.4.1)', async () => {
      expect((await raw('/oidc/token?grant_type=client_credentials')).status).to.be.oneOf([404, 405]);
      const { client_id, client_secret } = portal;
      const credentials = { client_id, client_secret };
      const query = new URLSearchParams({ grant_type: 'client_credentials', ...credentials });
      const answer = await harness.api.form(`/oidc/token?${query.toString()}`, {});
      expect(answer.status).to.be.within(400, 401);
      expect(answer.body).not.to.have.property('access_token');
    });

    it('responds with JSON that must not be stored, errors included (sections 3.2.3 and 3.2.4)', async () => {
      const good = await harness.exchange(await harness.code());
      const bad = await harness.asPortal('/oidc/token', { grant_type: 'authorization_code', code: 'x' });
      for (const { headers } of [good, bad]) {
        expect(headers.get('content-type')).to.match(/^application\/json/);
        expect(headers.get('cache-control')).to.equal('no-store');
      }
      expect(bad.body).to.have.all.keys('error', 'error_description');
    });

    it('ignores unknown parameters and refuses repeated ones (section 3.2.2)', async () => {
      const code = await harness.code();
      expect((await harness.exchange(code, { unheard: 'of' })).status).to.equal(200);
      const fields = 'grant_type=authorization_code&code=a&code=b&redirect_uri=x&code_verifier=y';
      const twice = await harness.api.form('/oidc/token', fields, basic(portal.client_id, portal.client_secret));
      // URLSearchParams keeps both
      expect(twice.body).to.include({ error: 'invalid_request' });
    });

    it("accepts a client's secret in Basic or in the form, and nothing else instead (section 2.4)", async () => {
      const code = await harness.code();
      const fields = { grant_type: 'authorization_code', code: code.code, code_verifier: code.verifier };
      const given = { ...fields, redirect_uri: portal.redirectUri };
      const tries = [
        { ...given, client_id: portal.client_id },
        { ...given, client_id: portal.client_id, client_secret: 'wrong' },
        { ...given, client_id: spa.client_id, client_secret: portal.client_secret },
      ];
      for (const one of tries) {
        const answer = await harness.api.form('/oidc/token', one);
        expect(answer.status).to.equal(401);
        expect(answer.body).to.include({ error: 'invalid_client' });
      }
      const wrong = await harness.api.form('/oidc/token', given, basic(portal.client_id, 'wrong'));
      expect(wrong.headers.get('www-authenticate')).to.match(/^Basic/);
      const inForm = { ...given, client_id: portal.client_id, client_secret: portal.client_secret };
      expect((await harness.api.form('/oidc/token', inForm)).status).to.equal(200);
      expect((await harness.exchange(await harness.code())).status).to.equal(200);
    });

    it('gives a public client tokens for its verifier alone, and rotates its refresh tokens (section 4.3.1)', async () => {
      const { verifier, challenge: own } = pkce();
      const at = { client_id: spa.client_id, redirect_uri: spa.redirectUri };
      const parameters = { ...at, code_challenge: own, scope: 'openid offline_access', prompt: 'consent' };
      const page = await harness.browser().allow(harness.authorizeUrl(parameters), await harness.person());
      const fields = {
        ...at,
        grant_type: 'authorization_code',
        code: answerOf(page)['code'] ?? '',
        code_verifier: verifier,
      };
      const tokens = (await harness.api.form('/oidc/token', fields)).body as Tokens;
      const refresh = { grant_type: 'refresh_token', client_id: spa.client_id };
      const next = await harness.api.form('/oidc/token', { ...refresh, refresh_token: tokens.refresh_token });
      expect(next.status).to.equal(200);
      expect((next.body as Tokens).refresh_token).not.to.equal(tokens.refresh_token);
      const stolen = await harness.asPortal('/oidc/token', {
        grant_type: 'refresh_token',
        refresh_token: (next.body as Tokens).refresh_token,
      });
      expect(stolen.body).to.include({ error: 'invalid_grant' });
    });

    it('refuses a verifier of a code without a challenge, and invalid lengths and characters (RFC 7636 section 4.1)', async () => {
      const code = await harness.code();
      for (const code_verifier of ['x'.repeat(42), 'x'.repeat(129), `${'x'.repeat(43)}!`, `${code.verifier}\n`]) {
        const { body } = await harness.exchange(code, { code_verifier });
        expect((body as { error: string }).error).to.be.oneOf(['invalid_grant', 'invalid_request']);
      }
      expect((await harness.exchange(code)).status).to.equal(200);
    });

    it('is not confused by two lengths of a body (RFC 9112 section 6.3)', async () => {
      const { hostname, port } = new URL(harness.api.baseUrl);
      const sent = httpRequest({
        ...{ hostname, port, method: 'POST', path: '/oidc/token' },
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'transfer-encoding': 'chunked' },
      });
      sent.setHeader('content-length', '5');
      sent.end('grant_type=client_credentials');
      const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
      expect(response.statusCode).to.equal(400);
      response.resume();
    });
  });
});
