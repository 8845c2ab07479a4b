import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { SignJWT } from 'jose';
import { query } from '@taskwire/postgres';
import { fillTables, largeTableScans, planSizes, recordStatements } from '@taskwire/testing';
import { defaultRetention } from '../src/wire/retention.ts';
import type { AuditFilter } from '../src/app/ports/audit.ts';
import { hotStatements } from '../src/postgres/statements.ts';
import { listAudit } from '../src/postgres/audit-rows.ts';
import { listUsers } from '../src/postgres/user-lists.ts';
import { mailer, reader } from './support/account-harness.ts';
import { loggedIn, password, serviceToken } from './support/auth-harness.ts';
import { oidcHarness, type OidcHarness, type Tokens } from './support/oidc-harness.ts';

const issuer = 'http://localhost:8080/oidc';
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
/** A service with a key, each of whose assertions can be used only once. */
const worker = {
  client_id: 'worker',
  jwks: { keys: [key.publicKey.export({ format: 'jwk' })] },
  grants: [{ audience: 'urn:taskwire:auth', scopes: ['users:read'] }],
};
const at = '2026-11-28T12:00:00.000000Z';
describe("The plans of Auth's statements", () => {
  let harness: OidcHarness;
  let stored = 0;

  before(async () => {
    harness = await oidcHarness({}, [worker, mailer.settings, reader.settings]);
  });
  after(async () => await harness.stop());

  /** Fills the tables with log-ins, 99 % of them ended, and with a tenth as many users, links and other rows. */
  async function growTo(count: number): Promise<void> {
    const inserts = [users, sessions, artifacts, audit, links, browsers, networks, limits, invitations];
    await fillTables(harness.database, inserts, [stored + 1, count]);
    stored = count;
  }

  /** Runs every prepared statement at least once, and the statements of every list and schedule. */
  async function useEverything(): Promise<void> {
    await useOwnAccount();
    await useAsAdmin();
    await useAsClient();
    await useAsService();
    await readLists();
    const { retention, accountSchedule, mailRequests, refusalFlush } = harness.service;
    const { db } = harness.service;
    for (const { rules } of defaultRetention) for (const rule of rules) await rule.overdueSeconds(db);
    for (const loop of [retention, accountSchedule, mailRequests, refusalFlush]) await loop.tick();
  }

  async function useOwnAccount(): Promise<void> {
    const { api } = harness;
    const ann = await loggedIn(harness, 'member');
    const { token } = ann;
    const renewed = await api.call('refresh', { body: { refresh_token: ann.refreshToken } });
    expect(renewed.status).to.equal(200);
    await api.call('refresh', { body: { refresh_token: 'twr_unknown' } });
    await api.call('me', { token });
    for (const operation of ['listSessions', 'listConsents'] as const) await api.call(operation, { token });
    await api.call('changeUser', { token, params: { id: ann.id }, body: { name: 'Other' } });
    await api.call('forgotPassword', { body: { email: ann.email } });
    await api.call('logoutEverywhere', { token });
  }

  async function useAsAdmin(): Promise<void> {
    const { api } = harness;
    const { token } = await loggedIn(harness, 'admin');
    const email = `${randomUUID()}@example.org`;
    const created = await api.call('createUser', { token, body: { email, password, name: 'New', role: 'member' } });
    const { id } = created.body as { id: string };
    await api.call('getUser', { token, params: { id } });
    await api.call('createInvitation', { token, body: { email: `invited-${email}` } });
    await api.call('listInvitations', { token, query: { state: 'open' } });
    const [link] = await query<{ id: string }>(
      harness.service.db.pool,
      'SELECT id FROM account_links WHERE user_id = $1',
      [id],
    );
    const headers = { 'idempotency-key': 'the delivery' };
    const params = { id: link?.id ?? '' };
    const read = await api.call('getAccountLink', { token: await serviceToken(harness, mailer), params, headers });
    expect(read.status, read.text).to.equal(200);
    await api.call('deleteUser', { token, params: { id } });
  }

  async function useAsClient(): Promise<void> {
    const parameters = {
      scope: 'openid offline_access account:read account:write',
      resource: 'urn:taskwire:auth',
      prompt: 'consent',
    };
    const { refresh_token, access_token: token } = await harness.tokens({ parameters });
    const refreshed = await harness.asPortal('/oidc/token', { grant_type: 'refresh_token', refresh_token });
    expect(refreshed.status, refreshed.text).to.equal(200);
    await harness.api.call('me', { token });
    const opaque = await harness.tokens({ parameters: { scope: 'openid offline_access', prompt: 'consent' } });
    await harness.asPortal('/oidc/introspect', { token: opaque.access_token });
    await harness.asPortal('/oidc/revoke', { token: (refreshed.body as Tokens).refresh_token });
    await harness.api.form('/oidc/token', { grant_type: 'client_credentials', client_id: 'unregistered' });
  }

  async function useAsService(): Promise<void> {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'worker', sub: 'worker', aud: issuer, jti: randomUUID(), iat: now, exp: now + 60 };
    const client_assertion = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(key.privateKey);
    const answer = await harness.api.form('/oidc/token', {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion,
      resource: 'urn:taskwire:auth',
    });
    const { access_token: token } = answer.body as Tokens;
    const listed = await harness.api.call('listInternalUsers', { token, query: { updated_since: at, limit: '1' } });
    const { data, next_cursor: cursor } = listed.body as { data: { id: string }[]; next_cursor: string };
    await harness.api.call('listInternalUsers', { token, query: { cursor } });
    await harness.api.call('getInternalUser', { token, params: { id: data[0]?.id ?? '' } });
  }

  /** The lists of administrators, with every filter that has its own index, on the first page and on a later one. */
  async function readLists(): Promise<void> {
    const { db } = harness.service;
    const id = randomUUID();
    const active = { isDeleted: false, order: 'latest_first', restoreDays: 7 } as const;
    for (const filter of [{}, { role: 'member' } as const, { text: 'ser4711@' }, { emailVerified: false }]) {
      for (const after of [undefined, [id]]) await listUsers(db, { ...active, ...filter }, { after, limit: 50 });
    }
    await listUsers(db, { ...active, order: 'oldest_first' }, { after: [id], limit: 50 });
    await listUsers(db, { ...active, isDeleted: true }, { after: undefined, limit: 50 });
    const filters: AuditFilter[] = [
      {},
      { actor: 'user 7' },
      { subject: 'user 7' },
      { action: 'logout' },
      { client: 'c7' },
      { ip: '10.0.0.7' },
    ];
    for (const filter of filters) {
      for (const after of [undefined, [at, id]]) await listAudit(db, filter, { after, limit: 50 });
    }
  }

  for (const count of planSizes) {
    it(`scan no large table sequentially, and match statements.sql, with ${count} log-ins`, async () => {
      await growTo(count);
      const log = recordStatements(harness.service.db.pool);
      await useEverything();
      const ran = log.statements();
      expect(ran.length, 'statements that were seen').to.be.greaterThan(60);
      expect(await largeTableScans(harness.database.db.pool, ran)).to.deep.equal([]);
      expect(ran.filter(isOwn).map(({ name, text }) => ({ name, text }))).to.have.deep.members(hotStatements);
    });
  }

  it('are reported when they scan a large table (canary)', async () => {
    const text = "SELECT FROM sessions WHERE user_agent = 'x' AND $1::text IS NOT NULL";
    const ran = [{ name: 'canary', text, values: ['x'] }];
    expect(await largeTableScans(harness.database.db.pool, ran)).to.deep.equal([`sessions: ${text}`]);
  });
});

/** Whether a statement is prepared by Auth itself, and not by a package or by the limiter of requests. */
function isOwn({ name }: { name: string | undefined }): boolean {
  return name !== undefined && !/^(outbox\.|rate_limits:)/.test(name);
}

const tenth = 'FROM generate_series($1::int, $2::int) n WHERE n % 10 = 0';
/** The user of each log-in, one of the first thousand. */
const owner = 'ids[n % cardinality(ids) + 1]';
const owners = '(SELECT array_agg(id) AS ids FROM (SELECT id FROM users LIMIT 1000) AS some_users) AS owners';

const users = `
  INSERT INTO users (id, email, name, role, email_verified, password_hash, created_at, updated_at)
  SELECT uuidv7(), 'user' || n || '@example.org', 'User', 'member', n % 100 > 0, 'none', now(), now() + n * interval '1 ms' ${tenth}`;

const sessions = `
  WITH opened AS (
    INSERT INTO sessions (id, user_id, created_at, expires_at, ended_at, end_reason)
    SELECT uuidv7(), ${owner}, now(), now() + interval '30 days',
      CASE WHEN n % 100 > 0 THEN now() END, CASE WHEN n % 100 > 0 THEN 'logout' END
    FROM ${owners}, generate_series($1::int, $2::int) n
    RETURNING id
  )
  INSERT INTO refresh_tokens (hash, session_id, created_at, expires_at)
  SELECT uuid_send(id), id, now(), now() + interval '7 days' FROM opened`;

const artifacts = `
  INSERT INTO oidc_artifacts (kind, hash, payload, user_id, uid, expires_at)
  SELECT 'AccessToken', uuid_send(uuidv7()), '{}', ${owner}, n::text, now() + interval '1 day'
  FROM ${owners}, generate_series($1::int, $2::int) n`;

const audit = `
  INSERT INTO audit_log (at, actor_kind, actor_id, action, subject_kind, subject_id, outcome, ip, client_id)
  SELECT now() - n * interval '1 ms', 'user', 'user ' || n % 1000, CASE WHEN n % 100 = 0 THEN 'logout' ELSE 'login' END,
    kind, 'user ' || n % 1000 || suffix, 'success', CASE WHEN kind IS NOT NULL THEN '10.0.0.0'::inet + n % 1000 END, 'c' || n % 100 || suffix
  FROM generate_series($1::int, $2::int) n, LATERAL (SELECT 'user' AS kind, '' AS suffix WHERE n % 10 = 0
    UNION ALL SELECT NULL, NULL WHERE n % 10 > 0) AS tenth`;

const links = `
  INSERT INTO account_links (id, user_id, purpose, email, created_at, expires_at, used_at)
  SELECT uuidv7(), id, 'verify_email', email, now(), now() + interval '1 day', now()
  FROM users WHERE email LIKE 'user%@example.org' AND substring(email FROM '[0-9]+')::int BETWEEN $1::int AND $2::int`;

const browsers = `
  INSERT INTO browser_logins (uid, user_id, created_at, expires_at, ended_at)
  SELECT 'login ' || email, id, now(), now() + interval '1 day', now()
  FROM users WHERE email LIKE 'user%@example.org' AND substring(email FROM '[0-9]+')::int BETWEEN $1::int AND $2::int`;

const networks = `
  INSERT INTO known_networks (hash, expires_at) SELECT uuid_send(uuidv7()), now() + interval '30 days' ${tenth}`;

const limits = `
  INSERT INTO rate_limits (key, points, expire)
  SELECT 'login:' || n, 1, extract(epoch FROM now()) * 1000 + 3600000 ${tenth}`;

const invitations = `
  INSERT INTO invitations (id, email, invited_by, created_at, expires_at, ended_at, end_reason)
  SELECT uuidv7(), n || '@example.com', uuidv7(), now(), now() + interval '7 days', now(), 'revoked' ${tenth}`;
