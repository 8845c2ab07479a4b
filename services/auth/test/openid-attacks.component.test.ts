import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt, SignJWT } from 'jose';
import { expectProblem } from './support/api.ts';
import { basic } from './support/auth-world.ts';
import { actionOf, hiddenFields, pkce } from './support/browser.ts';
import { desktop, oidcWorld, portal, spa, type OidcWorld, type Tokens } from './support/oidc-world.ts';

const offline = { scope: 'openid offline_access', prompt: 'consent' };
const serviceKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const worker = {
  client_id: 'worker',
  jwks: { keys: [serviceKey.publicKey.export({ format: 'jwk' })] },
  grants: [{ audience: 'urn:taskwire:auth', scopes: ['users:read'] }],
};

describe('attacks on the OpenID provider', () => {
  let world: OidcWorld;
  before(async () => {
    world = await oidcWorld({}, [worker]);
  });
  after(async () => {
    await world.stop();
  });

  const errorOf = (url: string) => new URL(url).searchParams.get('error');
  const refresh = async (token: string) =>
    await world.asPortal('/oidc/token', { grant_type: 'refresh_token', refresh_token: token });
  const challenge = pkce().challenge;

  describe('codes', () => {
    it('work once: of a hundred exchanges at once on two replicas one wins, and then all of it ends (RFC 6749 section 4.1.2)', async () => {
      const second = await world.replica();
      const code = await world.code({ parameters: offline });
      const answers = await Promise.all(
        Array.from(
          { length: 100 },
          async (_, index) => await world.exchange(code, {}, index % 2 === 0 ? world.api : second.api),
        ),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      for (const answer of answers) if (answer !== won[0]) expect(answer.body).to.include({ error: 'invalid_grant' });
      expect((await refresh((won[0]?.body as Tokens).refresh_token)).body).to.include({ error: 'invalid_grant' });
    });

    it('are for the client that asked (RFC 6749 section 4.1.3)', async () => {
      const code = await world.code();
      const stolen = { grant_type: 'authorization_code', code: code.code, code_verifier: code.verifier };
      const fields = { ...stolen, redirect_uri: portal.redirectUri, client_id: spa.client_id };
      expect((await world.api.form('/oidc/token', fields)).body).to.include({ error: 'invalid_grant' });
    });

    it('are for the redirect_uri that they were sent to (RFC 6749 section 4.1.3)', async () => {
      const answer = await world.exchange(await world.code(), { redirect_uri: 'https://portal.example.org/other' });
      expect(answer.body).to.include({ error: 'invalid_grant' });
    });

    it('end after a minute (RFC 6749 section 4.1.2)', async () => {
      const code = await world.code();
      await world.database.db.pool.query(
        `UPDATE artifacts SET expires_at = clock_timestamp() WHERE kind = 'AuthorizationCode'`,
      );
      expect((await world.exchange(code)).body).to.include({ error: 'invalid_grant' });
    });
  });

  describe('PKCE (RFC 7636, RFC 9700 section 2.1.1)', () => {
    it('is needed by every client, confidential ones too', async () => {
      const page = await world.browser().open(world.authorizeUrl({}));
      expect(errorOf(page.url)).to.equal('invalid_request');
    });

    it('cannot be downgraded: not to plain, not by leaving the verifier out, not by a wrong one', async () => {
      const plain = await world
        .browser()
        .open(world.authorizeUrl({ code_challenge: challenge, code_challenge_method: 'plain' }));
      expect(errorOf(plain.url)).to.equal('invalid_request');
      const unsaid = await world
        .browser()
        .open(world.authorizeUrl({ code_challenge: challenge, code_challenge_method: undefined }));
      expect(errorOf(unsaid.url)).to.equal('invalid_request');
      const code = await world.code();
      for (const code_verifier of ['', pkce().verifier]) {
        expect((await world.exchange(code, { code_verifier })).body).to.include({ error: 'invalid_grant' });
      }
      expect((await world.exchange(code)).status).to.equal(200);
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
      it(`is compared as it is, and nobody is sent to ${JSON.stringify(redirect_uri)} (RFC 9700 section 2.1)`, async () => {
        const page = await world.browser().open(world.authorizeUrl({ redirect_uri, code_challenge: challenge }));
        expect(page.status).to.equal(400);
        expect(page.text).to.contain('Something went wrong').and.contain('invalid_redirect_uri');
      });
    }

    it('twice, or not at all, is refused on our own page', async () => {
      const twice = `${world.authorizeUrl({ code_challenge: challenge })}&redirect_uri=https%3A%2F%2Fevil.example`;
      for (const address of [twice, world.authorizeUrl({ code_challenge: challenge, redirect_uri: undefined })]) {
        const page = await world.browser().open(address);
        expect(page.status).to.equal(400);
        expect(page.text).to.contain('Something went wrong');
      }
    });

    it('of an unknown client leads nowhere, and shows nothing as HTML that was sent', async () => {
      const page = await world.browser().open(world.authorizeUrl({ client_id: '<script>alert(1)</script>' }));
      expect(page.status).to.equal(400);
      expect(page.text).not.to.contain('<script');
      const nul = await world.browser().open(world.authorizeUrl({ client_id: 'a\u0000b' }));
      expect(nul.status).to.equal(400);
    });

    it('of an app may have any port of its own machine, and no other host (RFC 8252 section 7.3)', async () => {
      const at = async (redirect_uri: string) =>
        await world
          .browser()
          .open(world.authorizeUrl({ client_id: desktop.client_id, redirect_uri, code_challenge: challenge }));
      expect((await at(desktop.redirectUri)).text).to.contain('<h1>Log in</h1>');
      expect((await at('http://127.0.0.1.evil.example:7777/done')).status).to.equal(400);
      expect((await at('http://localhost:7777/done')).status).to.equal(400);
    });

    it('after log-out is one that was registered, or none (RP-Initiated Logout 1.0 section 3)', async () => {
      const browser = world.browser();
      await world.code({ browser });
      const query = new URLSearchParams({ client_id: 'portal', post_logout_redirect_uri: 'https://evil.example' });
      expect((await browser.open(`/oidc/logout?${query.toString()}`)).status).to.equal(400);
      const asked = await browser.open('/oidc/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.example');
      const gone = await browser.submit(asked, { logout: 'yes' });
      expect(gone.url).to.equal('http://localhost:8080/oidc/logout/success');
    });
  });

  describe('refresh tokens', () => {
    it('that come again after the grace end the family, whoever comes first (RFC 9700 section 4.14.2)', async () => {
      const first = await world.tokens({ parameters: offline });
      const second = (await refresh(first.refresh_token)).body as Tokens;
      await world.database.db.pool.query(`UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'`);
      expect((await refresh(first.refresh_token)).body).to.include({ error: 'invalid_grant' });
      expect((await refresh(second.refresh_token)).body).to.include({ error: 'invalid_grant' });
    });

    it('that come a hundred times at once on two replicas have one successor', async () => {
      const second = await world.replica();
      const { refresh_token: token } = await world.tokens({ parameters: offline });
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const fields = { grant_type: 'refresh_token', refresh_token: token };
          return await world.asPortal('/oidc/token', fields, index % 2 === 0 ? world.api : second.api);
        }),
      );
      expect(answers.map(({ status }) => status)).to.deep.equal(Array(100).fill(200));
      const [successor, ...others] = new Set(answers.map(({ body }) => (body as Tokens).refresh_token));
      expect(others).to.deep.equal([]);
      expect((await refresh(successor ?? '')).status).to.equal(200);
    });

    it('without a grace have one winner of a hundred, and then none', async () => {
      const [one, two] = [
        await world.replica({ REFRESH_GRACE_SECONDS: '0' }),
        await world.replica({ REFRESH_GRACE_SECONDS: '0' }),
      ];
      const { refresh_token: token } = await world.tokens({ parameters: offline });
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const fields = { grant_type: 'refresh_token', refresh_token: token };
          return await world.asPortal('/oidc/token', fields, (index % 2 === 0 ? one : two).api);
        }),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      expect((await refresh((won[0]?.body as Tokens).refresh_token)).body).to.include({ error: 'invalid_grant' });
    });

    it('are bound to their client (RFC 6749 section 6)', async () => {
      const { refresh_token } = await world.tokens({ parameters: offline });
      const fields = { grant_type: 'refresh_token', refresh_token, client_id: spa.client_id };
      expect((await world.api.form('/oidc/token', fields)).body).to.include({ error: 'invalid_grant' });
    });

    it('of the JSON API and of clients do not work for each other, and neither ends the other', async () => {
      const { refresh_token: ofClient } = await world.tokens({ parameters: offline });
      const person = await world.person();
      const { body } = await world.api.call('login', { body: { email: person.email, password: person.password } });
      const ofApi = (body as Tokens).refresh_token;
      expectProblem(await world.api.call('refresh', { body: { refresh_token: ofClient } }), 'invalid_refresh_token');
      expect((await refresh(ofApi)).body).to.include({ error: 'invalid_grant' });
      expect((await refresh(ofClient)).status).to.equal(200);
      expect((await world.api.call('refresh', { body: { refresh_token: ofApi } })).status).to.equal(200);
    });

    it('give no scope and no audience that was not allowed (RFC 6749 section 6, RFC 8707 section 2.2)', async () => {
      const { refresh_token } = await world.tokens({ parameters: offline });
      const fields = { grant_type: 'refresh_token', refresh_token };
      expect((await world.asPortal('/oidc/token', { ...fields, scope: 'openid email' })).body).to.include({
        error: 'invalid_scope',
      });
      const resource = 'urn:taskwire:tasks';
      expect((await world.asPortal('/oidc/token', { ...fields, resource })).body).to.include({
        error: 'invalid_target',
      });
    });
  });

  describe('scopes', () => {
    it('that a client was not granted are not in any token, whatever it asks for (RFC 6749 section 3.3)', async () => {
      const parameters = { scope: 'openid account users:read admin', resource: 'urn:taskwire:auth' };
      const { access_token: token } = await world.tokens({ parameters });
      expect(decodeJwt(token)['scope']).to.equal('account');
      const other = world.authorizeUrl({ code_challenge: challenge, resource: 'urn:taskwire:notifications' });
      expect(errorOf((await world.browser().open(other)).url)).to.equal('invalid_target');
    });

    it('of people do not make a token that of a service', async () => {
      const parameters = { scope: 'openid account', resource: 'urn:taskwire:auth' };
      const { access_token: token } = await world.tokens({ parameters });
      expectProblem(await world.api.call('listInternalUsers', { token }), 'insufficient_scope');
    });

    it('other grants than code, refresh and client_credentials do not exist (RFC 9700 section 2.4)', async () => {
      for (const grant_type of ['password', 'implicit', 'urn:ietf:params:oauth:grant-type:jwt-bearer']) {
        const { body } = await world.asPortal('/oidc/token', { grant_type, username: 'a', password: 'b' });
        expect(body).to.include({ error: 'unsupported_grant_type' });
      }
      const own = await world.asPortal('/oidc/token', {
        grant_type: 'client_credentials',
        resource: 'urn:taskwire:auth',
      });
      expect(own.body).to.include({ error: 'invalid_request' }).and.not.have.property('access_token');
      for (const response_type of ['token', 'id_token', 'code id_token', 'none']) {
        const page = await world
          .browser()
          .open(world.authorizeUrl({ response_type, code_challenge: challenge, nonce: 'n' }));
        expect(page.url).to.match(/error=(unsupported_response_type|unauthorized_client)/);
        expect(page.url).not.to.match(/[?#&](access_token|id_token|code)=/);
      }
    });
  });

  describe('the forms', () => {
    it('do not count from another site, without the token of this step, or with that of another (RFC 9700 section 4.7)', async () => {
      const person = await world.person();
      const login = { ...person, decision: 'log_in' };
      const browser = world.browser();
      const page = await browser.open(world.authorizeUrl({ code_challenge: challenge }));
      const foreign = await browser.submit(page, login, { origin: 'https://evil.example' });
      expect(foreign.status).to.equal(403);
      const hidden = hiddenFields(page.text);
      for (const form_token of ['', 'x'.repeat(hidden['form_token']?.length ?? 0)]) {
        expect((await browser.submit(page, { ...login, form_token })).status).to.equal(403);
      }
      const consent = await browser.submit(page, login);
      expect(consent.text).to.contain('value="allow"');
      const forged = await browser.submit(consent, { decision: 'allow', ...hidden });
      expect(forged.status).to.equal(403);
      expect((await browser.submit(consent, { decision: 'allow' })).url).to.contain('code=');
    });

    it('belong to the browser that they were shown to: another one has nothing of them', async () => {
      const page = await world.browser().open(world.authorizeUrl({ code_challenge: challenge }));
      const other = world.browser();
      await other.open(world.authorizeUrl({ code_challenge: challenge }));
      const form = { ...hiddenFields(page.text), ...(await world.person()), decision: 'log_in' };
      for (const victim of [world.browser(), other]) {
        const answer = await victim.post(actionOf(page), form, { origin: 'http://localhost:8080' });
        expect(answer.status).to.equal(400);
        const asked = await victim.open(world.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
        expect(errorOf(asked.url)).to.equal('login_required');
      }
    });

    it('at log-in do not let consent be skipped', async () => {
      const browser = world.browser();
      const page = await browser.open(world.authorizeUrl({ code_challenge: challenge }));
      expect((await browser.submit(page, { ...(await world.person()), decision: 'allow' })).status).to.equal(400);
    });

    it('of a log-out need the token of the session (RP-Initiated Logout 1.0 section 6)', async () => {
      const browser = world.browser();
      await world.code({ browser });
      await browser.open('/oidc/logout');
      const forged = await browser.post('/oidc/logout/confirm', { logout: 'yes', xsrf: 'x' });
      expect(forged.status).to.equal(400);
      const page = await browser.open(world.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
      expect(page.url).to.contain('code=');
    });

    it('show what was typed as text, never as HTML, and may be framed by nobody', async () => {
      const browser = world.browser();
      const page = await browser.open(world.authorizeUrl({ code_challenge: challenge, login_hint: '"><img src=x>' }));
      const again = await browser.submit(page, {
        email: '"><script>alert(1)</script>',
        password: 'x',
        decision: 'log_in',
      });
      expect(again.status).to.equal(401);
      for (const { text, headers } of [page, again]) {
        expect(text).not.to.match(/<script|<img/);
        const policy = headers.get('content-security-policy');
        expect(policy).to.contain("default-src 'none'").and.contain("frame-ancestors 'none'").and.not.contain('unsafe');
        expect(policy).to.contain("form-action 'self' https://portal.example.org;");
        expect(headers.get('x-frame-options')).to.equal('SAMEORIGIN');
        expect(headers.get('cache-control')).to.equal('no-store');
      }
      const consent = await browser.submit(again, { ...(await world.person()), decision: 'log_in' });
      expect(consent.text).to.contain('Portal &lt;b&gt;');
    });

    it('that are huge or no forms are refused', async () => {
      const browser = world.browser();
      const page = await browser.open(world.authorizeUrl({ code_challenge: challenge }));
      expect((await browser.submit(page, { email: 'x'.repeat(20_000) })).status).to.equal(413);
      const json = await browser.submit(
        page,
        {},
        { 'content-type': 'application/json', origin: 'http://localhost:8080' },
      );
      expect(json.status).to.equal(415);
    });
  });

  describe('sessions of browsers', () => {
    const cookieOf = (browser: ReturnType<OidcWorld['browser']>) => browser.cookies.get('taskwire_session /')?.value;

    it('get a new id at log-in, so that one that was planted is worth nothing (OWASP session fixation)', async () => {
      const browser = world.browser();
      await browser.open(world.authorizeUrl({ code_challenge: challenge }));
      const planted = cookieOf(browser);
      await world.code({ browser });
      expect(cookieOf(browser)).to.be.a('string').and.not.to.equal(planted);
    });

    it('have signed cookies that scripts cannot read and other sites do not send', async () => {
      const answer = await fetch(`${world.api.baseUrl}${world.authorizeUrl({ code_challenge: challenge })}`, {
        redirect: 'manual',
      });
      const cookies = answer.headers.getSetCookie();
      expect(cookies).to.have.length.above(3);
      for (const cookie of cookies) expect(cookie.toLowerCase()).to.contain('httponly').and.contain('samesite=lax');
      const browser = world.browser();
      await world.code({ browser });
      browser.cookies.set('taskwire_session.sig /', { value: 'x'.repeat(27), path: '/' });
      const page = await browser.open(world.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
      expect(errorOf(page.url)).to.equal('login_required');
    });

    it('are not entered by guessing: wrong passwords are counted as at the JSON API, and say nothing of the account', async () => {
      const known = await world.person();
      const texts = new Set<string>();
      for (const email of [known.email, 'nobody@example.org']) {
        const browser = world.browser();
        const page = await browser.open(world.authorizeUrl({ code_challenge: challenge }));
        const answer = await browser.submit(page, { email, password: 'wrong password', decision: 'log_in' });
        expect(answer.status).to.equal(401);
        texts.add(/<p class="error"[^>]*>(.*?)<\/p>/.exec(answer.text)?.[1] ?? '');
      }
      expect([...texts]).to.have.length(1);
      const browser = world.browser();
      const page = await browser.open(world.authorizeUrl({ code_challenge: challenge }));
      const statuses: number[] = [];
      for (let guess = 0; guess < 12; guess++) {
        statuses.push(
          (await browser.submit(page, { email: known.email, password: `guess ${guess}`, decision: 'log_in' })).status,
        );
      }
      expect(statuses.at(-1)).to.equal(429);
    });
  });

  describe('assertions of clients (RFC 7523)', () => {
    const issuer = 'http://localhost:8080/oidc';
    type Claims = Record<string, unknown>;
    async function assertion(claims: Claims = {}, key = serviceKey.privateKey, alg = 'ES256'): Promise<string> {
      const now = Math.floor(Date.now() / 1000);
      const whole = {
        iss: 'worker',
        sub: 'worker',
        aud: issuer,
        jti: pkce().verifier,
        iat: now,
        exp: now + 60,
        ...claims,
      };
      return await new SignJWT(whole).setProtectedHeader({ alg }).sign(key);
    }
    const ask = async (client_assertion: string, api = world.api) =>
      await api.form('/oidc/token', {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion,
      });

    it('work once: of a hundred uses at once on two replicas one wins (section 3, jti)', async () => {
      const second = await world.replica();
      const proof = await assertion();
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => await ask(proof, index % 2 === 0 ? world.api : second.api)),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      for (const answer of answers) if (answer !== won[0]) expect(answer.body).to.include({ error: 'invalid_client' });
      expect(decodeJwt((won[0]?.body as Tokens).access_token)).to.include({ sub: 'worker', client_id: 'worker' });
    });

    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const now = () => Math.floor(Date.now() / 1000);
    const wrong: [string, () => Promise<string>][] = [
      ['of another key', async () => await assertion({}, other)],
      ['for another server', async () => await assertion({ aud: 'https://other.example/token' })],
      [
        'for the token endpoint by its inner address',
        async () => await assertion({ aud: `${world.api.baseUrl}/oidc/token` }),
      ],
      ['of somebody else', async () => await assertion({ iss: 'portal' })],
      ['that expired', async () => await assertion({ exp: now() - 60 })],
      ['that never expires', async () => await assertion({ exp: now() + 86_400 })],
      ['that is not good yet', async () => await assertion({ nbf: now() + 600 })],
      ['without jti', async () => await assertion({ jti: undefined })],
      ['without a signature', async () => `${btoa('{"alg":"none"}')}.${(await assertion()).split('.')[1]}.`],
      [
        'signed with the public key as a secret',
        async () => {
          const text = JSON.stringify(worker.jwks.keys[0]);
          const payload = (await assertion()).split('.')[1] ?? '';
          const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
          return await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(text));
        },
      ],
    ];
    for (const [what, make] of wrong) {
      it(`${what} prove nothing`, async () => {
        const answer = await ask(await make());
        expect([400, 401]).to.include(answer.status);
        expect(answer.body).not.to.have.property('access_token');
      });
    }

    it('that are huge or malformed are refused quickly', async () => {
      for (const text of ['x', 'a.b.c', '.'.repeat(1_000), `${'A'.repeat(50_000)}.e30.x`, 'x'.repeat(70_000)]) {
        expect((await ask(text)).status, text.slice(0, 10)).to.be.oneOf([400, 401]);
      }
    });

    it('cannot be replaced by a secret, nor a secret by the name of the client', async () => {
      const answer = await world.api.form(
        '/oidc/token',
        { grant_type: 'client_credentials' },
        basic('worker', 'x'.repeat(32)),
      );
      expect(answer.body).to.include({ error: 'invalid_client' });
      const named = await world.api.form('/oidc/token', { grant_type: 'client_credentials', client_id: 'worker' });
      expect(named.body).to.include({ error: 'invalid_client' });
    });
  });
});
