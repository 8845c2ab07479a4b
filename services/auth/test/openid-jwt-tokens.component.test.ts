import { expect } from 'chai';
import { decodeJwt, generateKeyPair, SignJWT } from 'jose';
import { systemContext } from '../src/domain/audit-context.ts';
import { createStoredClients } from '../src/postgres/client-rows.ts';
import { basic, logIn, password, withSecret } from './support/auth-harness.ts';
import { oidcHarness, portal, type OidcHarness, type Tokens } from './support/oidc-harness.ts';

const resource = 'urn:taskwire:auth';
const parameters = { scope: 'openid offline_access account:read account:write', resource, prompt: 'consent' };
const readUsers = [{ audience: resource, scopes: ['users:read'] }];

/** A client that may introspect tokens of this audience, and a client that may introspect tokens of another audience. */
const server = withSecret('resource-server', 'a-secret-of-a-server-with-32-characters', readUsers);
const other = withSecret('other-server', 'a-secret-of-another-with-32-characters', readUsers);
const clients = [
  { ...server.settings, introspects: [resource] },
  { ...other.settings, introspects: ['urn:taskwire:tasks'] },
];

describe('JWT access tokens', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness({}, clients);
  });
  after(async () => {
    await harness.stop();
  });

  type Credentials = { client_id: string; client_secret: string };
  const as = async (client: Credentials, path: string, fields: Record<string, string>) =>
    await harness.api.form(path, fields, basic(client.client_id, client.client_secret));
  const introspect = async (token: string, client: Credentials = server) =>
    (await as(client, '/oidc/introspect', { token })).body as Record<string, unknown>;
  const inactive = { active: false };

  async function ownToken(client: Credentials): Promise<string> {
    const { body } = await as(client, '/oidc/token', { grant_type: 'client_credentials', resource });
    return (body as Tokens).access_token;
  }

  describe('at the introspection endpoint (RFC 7662)', () => {
    it('are shown to their client and to the service that they are for, with the current role', async () => {
      const person = await harness.person('manager');
      const { access_token: token } = await harness.tokens({ person, parameters });
      const claims = decodeJwt(token);
      for (const client of [portal, server]) {
        const answer = await as(client, '/oidc/introspect', { token, token_type_hint: 'access_token' });
        expect(answer.status).to.equal(200);
        expect(answer.headers.get('content-type')).to.equal('application/json; charset=utf-8');
        expect(answer.headers.get('cache-control')).to.equal('no-store');
        expect(answer.body).to.deep.equal({ active: true, token_type: 'Bearer', ...claims });
        expect(answer.body).to.include({
          sub: person.id,
          client_id: 'portal',
          aud: resource,
          scope: 'openid offline_access account:read account:write',
        });
      }
      await harness.database.db.pool.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [person.id]);
      expect(await introspect(token)).to.include({ active: true, role: 'admin' });
    });

    it("don't exist for other services and other clients (section 4)", async () => {
      const { access_token: token } = await harness.tokens({ parameters });
      expect(await introspect(token, other)).to.deep.equal(inactive);
      const spa = await harness.api.form('/oidc/introspect', { token, client_id: 'spa' });
      expect(spa.body).to.deep.equal(inactive);
      expect(await introspect(await ownToken(other), portal)).to.deep.equal(inactive);
    });

    it('require an authenticated client (section 2.1)', async () => {
      const { access_token: token } = await harness.tokens({ parameters });
      for (const by of [{}, basic('resource-server', 'wrong'), basic('unknown', 'x')]) {
        const answer = await harness.api.form('/oidc/introspect', { token }, by);
        expect(answer.status).to.be.oneOf([400, 401]);
        expect(answer.body).to.include.keys('error').and.not.to.have.property('active');
      }
      const bearer = await harness.api.form('/oidc/introspect', { token }, { authorization: `Bearer ${token}` });
      expect(bearer.status).to.equal(400);
    });

    it('of the JSON API are shown to services too, until the log-out', async () => {
      const person = await harness.person();
      const { access_token: token } = await logIn(harness, person.email);
      expect(await introspect(token)).to.include({ active: true, client_id: 'first-party', sub: person.id });
      await harness.api.call('logout', { token });
      expect(await introspect(token)).to.deep.equal(inactive);
    });

    it('of services are shown until their client is removed', async () => {
      const token = await ownToken(other);
      expect(await introspect(token)).to.include({ active: true, sub: 'other-server', scope: 'users:read' });
      const stored = createStoredClients(harness.database.db);
      const leaving = withSecret('leaving', 'a-secret-that-leaves-with-32-characters', readUsers);
      await stored.add(
        {
          ...leaving.settings,
          grant_types: ['client_credentials'],
          ...{ redirect_uris: [], post_logout_redirect_uris: [], application_type: 'web' },
        },
        systemContext,
      );
      const last = await ownToken(leaving);
      expect(await introspect(last)).to.include({ active: true });
      await stored.remove('leaving', systemContext);
      expect(await introspect(last)).to.deep.equal(inactive);
    });

    const ends: [string, (person: { id: string }, admin: string, tokens: Tokens) => Promise<unknown>][] = [
      [
        'the user is deleted',
        async ({ id }, admin) => await harness.api.call('deleteUser', { token: admin, params: { id } }),
      ],
      [
        'the user is demoted',
        async ({ id }, admin) =>
          await harness.api.call('changeUser', { token: admin, params: { id }, body: { role: 'member' } }),
      ],
      [
        'access ended later than they were issued',
        async ({ id }) =>
          await harness.database.db.pool.query(
            `UPDATE users SET tokens_valid_after = clock_timestamp() + interval '2 seconds' WHERE id = $1`,
            [id],
          ),
      ],
      [
        'the consent was revoked',
        async (_person, _admin, { refresh_token: token }) => await as(portal, '/oidc/revoke', { token }),
      ],
      [
        'their grant expired',
        async (_person, _admin, { access_token: token }) =>
          await harness.database.db.pool.query('UPDATE sessions SET expires_at = clock_timestamp() WHERE id = $1', [
            decodeJwt(token)['sid'],
          ]),
      ],
    ];
    for (const [when, end] of ends) {
      it(`are inactive once ${when}`, async () => {
        const admin = await harness.person('admin');
        const { body } = await harness.api.call('login', { body: { email: admin.email, password } });
        const person = await harness.person('manager');
        const tokens = await harness.tokens({ person, parameters });
        expect(await introspect(tokens.access_token)).to.include({ active: true });
        await end(person, (body as Tokens).access_token, tokens);
        for (const client of [portal, server]) {
          expect(await introspect(tokens.access_token, client)).to.deep.equal(inactive);
        }
      });
    }

    it('are not reported as inactive during a fault, and the error response reveals no internals', async () => {
      const { access_token: token } = await harness.tokens({ parameters });
      const rename = async (from: string, to: string) =>
        await harness.database.db.pool.query(`ALTER TABLE ${from} RENAME TO ${to}`);
      await rename('sessions', 'sessions_away');
      try {
        const answer = await as(server, '/oidc/introspect', { token });
        expect(answer.status).to.equal(500);
        expect(answer.body).to.have.all.keys('error', 'error_description').and.to.include({ error: 'server_error' });
        expect(answer.text).not.to.contain('sessions');
      } finally {
        await rename('sessions_away', 'sessions');
      }
      expect(await introspect(token)).to.include({ active: true });
    });

    it('are inactive if they are not ours, were altered, or are not access tokens', async () => {
      const tokens = await harness.tokens({ parameters });
      const claims = decodeJwt(tokens.access_token);
      const [header = '', payload = '', signature = ''] = tokens.access_token.split('.');
      const { privateKey } = await generateKeyPair('ES256');
      const forged = async (head: object) =>
        await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...head }).sign(privateKey);
      const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
      const admin = Buffer.from(JSON.stringify({ ...claims, role: 'admin' })).toString('base64url');
      const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt', kid })).toString('base64url');
      const texts = [
        await forged({ kid }),
        await forged({}),
        await forged({ kid: 'unknown' }),
        `${header}.${admin}.${signature}`,
        `${none}.${payload}.`,
        `${header}.${payload}.${'A'.repeat(86)}`,
        `${header}.!.${signature}`,
        tokens.id_token,
        `${header}.${'A'.repeat(10_000)}.${signature}`,
      ];
      for (const text of texts) expect(await introspect(text), text.slice(0, 200)).to.deep.equal(inactive);
      // larger than the maximum body of an OAuth request
      const huge = `${header}.${'A'.repeat(40_000)}.${signature}`;
      expect((await as(portal, '/oidc/introspect', { token: huge })).status).to.equal(413);
    });
  });

  describe('at the revocation endpoint (RFC 7009)', () => {
    it('end everything that came from the consent, as opaque tokens do (section 2.1)', async () => {
      const tokens = await harness.tokens({ parameters });
      const answer = await as(portal, '/oidc/revoke', { token: tokens.access_token });
      expect(answer.status).to.equal(200);
      expect(answer.text).to.equal('');
      expect(await introspect(tokens.access_token)).to.deep.equal(inactive);
      expect((await harness.api.call('me', { token: tokens.access_token })).status).to.equal(401);
      const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
      expect((await as(portal, '/oidc/token', fields)).body).to.include({ error: 'invalid_grant' });
    });

    it('are recorded in the audit log with actor and origin of the revocation', async () => {
      const { access_token: token, person } = await harness.tokens({ parameters });
      const by = basic(portal.client_id, portal.client_secret);
      await harness.api.form('/oidc/revoke', { token }, { ...by, 'x-forwarded-for': '203.0.113.9' });
      const { rows } = await harness.database.db.pool.query<object>(
        `SELECT actor_kind, actor_id, host(ip) AS ip FROM audit_log WHERE action = 'consent.revoke' AND subject_id = $1`,
        [person.id],
      );
      expect(rows).to.deep.equal([{ actor_kind: 'client', actor_id: 'portal', ip: '203.0.113.9' }]);
    });

    it('are unaffected by another client, even the service that they are for', async () => {
      const { access_token: token } = await harness.tokens({ parameters });
      for (const client of [server, other]) {
        expect((await as(client, '/oidc/revoke', { token })).status).to.equal(200);
      }
      expect((await harness.api.form('/oidc/revoke', { token, client_id: 'spa' })).status).to.equal(200);
      expect(await introspect(token)).to.include({ active: true });
    });

    it('that are invalid get the same response as valid ones (section 2.2)', async () => {
      const { access_token: token } = await harness.tokens({ parameters });
      const [header, payload] = token.split('.');
      expect((await as(portal, '/oidc/revoke', { token: `${header}.${payload}.${'A'.repeat(86)}` })).status).to.equal(
        200,
      );
      expect(await introspect(token)).to.include({ active: true });
    });

    it("of a client itself can't be revoked, and the response says so (section 2.2.1)", async () => {
      const token = await ownToken(other);
      const answer = await as(other, '/oidc/revoke', { token });
      expect(answer.status).to.equal(400);
      expect(answer.body).to.include({ error: 'unsupported_token_type' });
      expect(await introspect(token)).to.include({ active: true });
    });
  });
});
