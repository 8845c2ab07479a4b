import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { expectProblem } from './support/api.ts';
import { pkce } from './support/browser.ts';
import { desktop, oidcHarness, portal, spa, type OidcHarness, type Tokens } from './support/oidc-harness.ts';

const offline = { scope: 'openid offline_access', prompt: 'consent' };

describe('attacks on the OpenID provider', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  const errorOf = (url: string) => new URL(url).searchParams.get('error');
  const refresh = async (token: string) =>
    await harness.asPortal('/oidc/token', { grant_type: 'refresh_token', refresh_token: token });
  const challenge = pkce().challenge;

  describe('authorization codes', () => {
    it('are exchanged once: of a hundred concurrent exchanges on two replicas one wins, and then the grant ends (RFC 6749 section 4.1.2)', async () => {
      const second = await harness.replica();
      const code = await harness.code({ parameters: offline });
      const answers = await Promise.all(
        Array.from(
          { length: 100 },
          async (_, index) => await harness.exchange(code, {}, index % 2 === 0 ? harness.api : second.api),
        ),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      for (const answer of answers) if (answer !== won[0]) expect(answer.body).to.include({ error: 'invalid_grant' });
      expect((await refresh((won[0]!.body as Tokens).refresh_token)).body).to.include({ error: 'invalid_grant' });
    });

    it('are valid only for the client that requested them (RFC 6749 section 4.1.3)', async () => {
      const code = await harness.code();
      const stolen = { grant_type: 'authorization_code', code: code.code, code_verifier: code.verifier };
      const fields = { ...stolen, redirect_uri: portal.redirectUri, client_id: spa.client_id };
      expect((await harness.api.form('/oidc/token', fields)).body).to.include({ error: 'invalid_grant' });
    });

    it('are valid only for the redirect_uri that they were sent to (RFC 6749 section 4.1.3)', async () => {
      const answer = await harness.exchange(await harness.code(), { redirect_uri: 'https://portal.example.org/other' });
      expect(answer.body).to.include({ error: 'invalid_grant' });
    });

    it('expire after a minute (RFC 6749 section 4.1.2)', async () => {
      const code = await harness.code();
      await harness.database.db.pool.query(
        `UPDATE oidc_artifacts SET expires_at = clock_timestamp() WHERE kind = 'AuthorizationCode'`,
      );
      expect((await harness.exchange(code)).body).to.include({ error: 'invalid_grant' });
    });
  });

  describe('PKCE (RFC 7636, RFC 9700 section 2.1.1)', () => {
    it('is required from every client, including confidential ones', async () => {
      const page = await harness.browser().open(harness.authorizeUrl({}));
      expect(errorOf(page.url)).to.equal('invalid_request');
    });

    it("can't be downgraded to plain, by omitting the verifier, or by a wrong verifier", async () => {
      const plain = await harness
        .browser()
        .open(harness.authorizeUrl({ code_challenge: challenge, code_challenge_method: 'plain' }));
      expect(errorOf(plain.url)).to.equal('invalid_request');
      const unsaid = await harness
        .browser()
        .open(harness.authorizeUrl({ code_challenge: challenge, code_challenge_method: undefined }));
      expect(errorOf(unsaid.url)).to.equal('invalid_request');
      const code = await harness.code();
      for (const code_verifier of ['', pkce().verifier]) {
        expect((await harness.exchange(code, { code_verifier })).body).to.include({ error: 'invalid_grant' });
      }
      expect((await harness.exchange(code)).status).to.equal(200);
    });
  });

  describe('redirect_uri', () => {
    const tricks = [
      'https://evil.example/callback',
      'https://portal.example.org/callback/',
      'https://portal.example.org/callback?x=1',
      'https://portal.example.org/callback#x',
      'https://portal.example.org/callback/../other2',
      'https://portal.example.org.evil.example/callback',
      'https://portal.example.org@evil.example/callback',
      'https://portal.example.org:8443/callback',
      'http://portal.example.org/callback',
      'https://PORTAL.example.org/callback',
      '//portal.example.org/callback',
      'javascript:alert(1)',
      'https://portal.example.org/callback\u0000',
      'https://portal.example.org/callback\r\nLocation: https://evil.example',
    ];
    for (const redirect_uri of tricks) {
      it(`is compared character by character: no browser is sent to ${JSON.stringify(redirect_uri)} (RFC 9700 section 2.1)`, async () => {
        const page = await harness.browser().open(harness.authorizeUrl({ redirect_uri, code_challenge: challenge }));
        expect(page.status).to.equal(400);
        expect(page.text).to.contain('Something went wrong').and.contain('invalid_redirect_uri');
      });
    }

    it('is refused on our own page if it is repeated or missing', async () => {
      const twice = `${harness.authorizeUrl({ code_challenge: challenge })}&redirect_uri=https%3A%2F%2Fevil.example`;
      for (const address of [twice, harness.authorizeUrl({ code_challenge: challenge, redirect_uri: undefined })]) {
        const page = await harness.browser().open(address);
        expect(page.status).to.equal(400);
        expect(page.text).to.contain('Something went wrong');
      }
    });

    it('leads nowhere for an unknown client, and is never shown as HTML', async () => {
      const page = await harness.browser().open(harness.authorizeUrl({ client_id: '<script>alert(1)</script>' }));
      expect(page.status).to.equal(400);
      expect(page.text).not.to.contain('<script');
      const nul = await harness.browser().open(harness.authorizeUrl({ client_id: 'a\u0000b' }));
      expect(nul.status).to.equal(400);
    });

    it("may have any port of the app's own machine, and no other host (RFC 8252 section 7.3)", async () => {
      const at = async (redirect_uri: string) =>
        await harness
          .browser()
          .open(harness.authorizeUrl({ client_id: desktop.client_id, redirect_uri, code_challenge: challenge }));
      expect((await at(desktop.redirectUri)).text).to.contain('<h1>Log in</h1>');
      expect((await at('http://127.0.0.1.evil.example:7777/done')).status).to.equal(400);
      expect((await at('http://localhost:7777/done')).status).to.equal(400);
    });

    it('after log-out is a registered one or none (RP-Initiated Logout 1.0 section 3)', async () => {
      const browser = harness.browser();
      await harness.code({ browser });
      const query = new URLSearchParams({ client_id: 'portal', post_logout_redirect_uri: 'https://evil.example' });
      expect((await browser.open(`/oidc/logout?${query.toString()}`)).status).to.equal(400);
      const asked = await browser.open('/oidc/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.example');
      const gone = await browser.submit(asked, { logout: 'yes' });
      expect(gone.url).to.equal('http://localhost:8080/oidc/logout/success');
    });
  });

  describe('refresh tokens', () => {
    it('end their family when they are reused after the grace period (RFC 9700 section 4.14.2)', async () => {
      const first = await harness.tokens({ parameters: offline });
      const second = (await refresh(first.refresh_token)).body as Tokens;
      await harness.database.db.pool.query(`UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'`);
      expect((await refresh(first.refresh_token)).body).to.include({ error: 'invalid_grant' });
      expect((await refresh(second.refresh_token)).body).to.include({ error: 'invalid_grant' });
    });

    it('have one successor for a hundred concurrent uses on two replicas', async () => {
      const second = await harness.replica();
      const { refresh_token: token } = await harness.tokens({ parameters: offline });
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const fields = { grant_type: 'refresh_token', refresh_token: token };
          return await harness.asPortal('/oidc/token', fields, index % 2 === 0 ? harness.api : second.api);
        }),
      );
      expect(answers.map(({ status }) => status)).to.deep.equal(Array(100).fill(200));
      const [successor, ...others] = new Set(answers.map(({ body }) => (body as Tokens).refresh_token));
      expect(others).to.deep.equal([]);
      expect((await refresh(successor ?? '')).status).to.equal(200);
    });

    it('let one of a hundred concurrent uses win without a grace period, and then end the family', async () => {
      const [one, two] = [
        await harness.replica({ REFRESH_GRACE_SECONDS: '0' }),
        await harness.replica({ REFRESH_GRACE_SECONDS: '0' }),
      ];
      const { refresh_token: token } = await harness.tokens({ parameters: offline });
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const fields = { grant_type: 'refresh_token', refresh_token: token };
          return await harness.asPortal('/oidc/token', fields, (index % 2 === 0 ? one : two).api);
        }),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      expect((await refresh((won[0]!.body as Tokens).refresh_token)).body).to.include({ error: 'invalid_grant' });
    });

    it('are bound to their client (RFC 6749 section 6)', async () => {
      const { refresh_token } = await harness.tokens({ parameters: offline });
      const fields = { grant_type: 'refresh_token', refresh_token, client_id: spa.client_id };
      expect((await harness.api.form('/oidc/token', fields)).body).to.include({ error: 'invalid_grant' });
    });

    it("of the JSON API and of clients don't work for each other, and don't end each other", async () => {
      const { refresh_token: ofClient } = await harness.tokens({ parameters: offline });
      const person = await harness.person();
      const { body } = await harness.api.call('login', { body: { email: person.email, password: person.password } });
      const ofApi = (body as Tokens).refresh_token;
      expectProblem(await harness.api.call('refresh', { body: { refresh_token: ofClient } }), 'invalid_refresh_token');
      expect((await refresh(ofApi)).body).to.include({ error: 'invalid_grant' });
      expect((await refresh(ofClient)).status).to.equal(200);
      expect((await harness.api.call('refresh', { body: { refresh_token: ofApi } })).status).to.equal(200);
    });

    it('yield no scope and no audience that was not granted (RFC 6749 section 6, RFC 8707 section 2.2)', async () => {
      const { refresh_token } = await harness.tokens({ parameters: offline });
      const fields = { grant_type: 'refresh_token', refresh_token };
      expect((await harness.asPortal('/oidc/token', { ...fields, scope: 'openid email' })).body).to.include({
        error: 'invalid_scope',
      });
      const resource = 'urn:taskwire:tasks';
      expect((await harness.asPortal('/oidc/token', { ...fields, resource })).body).to.include({
        error: 'invalid_target',
      });
    });
  });

  describe('scopes', () => {
    it('that a client was not granted are in no token, whatever it requests (RFC 6749 section 3.3)', async () => {
      const parameters = { scope: 'openid account:read account:write users:read admin', resource: 'urn:taskwire:auth' };
      const { access_token: token } = await harness.tokens({ parameters });
      expect(decodeJwt(token)['scope']).to.equal('openid account:read account:write');
      const other = harness.authorizeUrl({ code_challenge: challenge, resource: 'urn:taskwire:notifications' });
      expect(errorOf((await harness.browser().open(other)).url)).to.equal('invalid_target');
    });

    it("of users never make a token a service's token", async () => {
      const parameters = { scope: 'openid account:read account:write', resource: 'urn:taskwire:auth' };
      const { access_token: token } = await harness.tokens({ parameters });
      expectProblem(await harness.api.call('listInternalUsers', { token }), 'insufficient_scope');
    });

    it('are obtained by code, refresh and client_credentials only (RFC 9700 section 2.4)', async () => {
      for (const grant_type of ['password', 'implicit', 'urn:ietf:params:oauth:grant-type:jwt-bearer']) {
        const { body } = await harness.asPortal('/oidc/token', { grant_type, username: 'a', password: 'b' });
        expect(body).to.include({ error: 'unsupported_grant_type' });
      }
      const own = await harness.asPortal('/oidc/token', {
        grant_type: 'client_credentials',
        resource: 'urn:taskwire:auth',
      });
      expect(own.body).to.include({ error: 'invalid_request' }).and.not.have.property('access_token');
      for (const response_type of ['token', 'id_token', 'code id_token', 'none']) {
        const page = await harness
          .browser()
          .open(harness.authorizeUrl({ response_type, code_challenge: challenge, nonce: 'n' }));
        expect(page.url).to.match(/error=(unsupported_response_type|unauthorized_client)/);
        expect(page.url).not.to.match(/[?#&](access_token|id_token|code)=/);
      }
    });
  });
});
