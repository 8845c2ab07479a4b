import type { AuditEntry } from '@taskwire/contracts';
import { expect } from 'chai';
import { systemContext } from '../src/domain/audit-context.ts';
import { createStoredClients } from '../src/postgres/client-rows.ts';
import { createSealedKeys } from '../src/postgres/signing-key-rows.ts';
import { rotateKeys } from '../src/tokens/signing-keys.ts';
import { expectProblem } from './support/api.ts';
import { addUser, loggedIn, logIn, password } from './support/auth-harness.ts';
import { oidcHarness, portal, type OidcHarness } from './support/oidc-harness.ts';

const from = { 'x-forwarded-for': '203.0.113.9', 'user-agent': 'Test/1.0', 'x-request-id': 'the-request' };
const seen = { ip: '203.0.113.9', user_agent: 'Test/1.0', request_id: 'the-request' };

describe('the audit log', () => {
  let harness: OidcHarness;
  let admin: Awaited<ReturnType<typeof loggedIn>>;
  before(async () => {
    harness = await oidcHarness();
    admin = await loggedIn(harness, 'admin');
  });
  after(async () => {
    await harness.stop();
  });

  async function entries(query: Record<string, string>): Promise<AuditEntry[]> {
    const answer = await harness.api.call('listAudit', { token: admin.token, query });
    expect(answer.status, answer.text).to.equal(200);
    return (answer.body as { data: AuditEntry[] }).data;
  }

  /** The audited actions on a user, oldest first. */
  const storyOf = async (id: string) => (await entries({ subject: id })).map(({ action }) => action).toReversed();

  const rows = async () => (await harness.database.db.pool.query('SELECT * FROM audit_log')).rowCount;

  describe('an entry with actor, action, subject, origin, time and outcome', () => {
    it('records successful and failed log-ins', async () => {
      const user = await addUser(harness, 'member');
      const body = { email: user.email, password };
      await harness.api.call('login', { body: { ...body, password: 'a wrong one' }, headers: from });
      await harness.api.call('login', { body, headers: from });
      const [worked, failed] = await entries({ subject: user.id, action: 'login' });
      expect(worked).to.deep.include({
        actor: { kind: 'user', id: user.id },
        outcome: 'success',
        reason: null,
        ...seen,
      });
      expect(failed).to.deep.include({ actor: null, outcome: 'failure', reason: 'invalid_credentials', ...seen });
      expect(Date.parse(worked?.at ?? '')).to.be.closeTo(Date.now(), 60_000);
    });

    it('records log-ins to unknown accounts and refused registrations without their addresses', async () => {
      const body = { email: 'no-such-account@example.org', password: 'a wrong one' };
      await harness.api.call('login', { body, headers: { ...from, 'x-request-id': 'unknown' } });
      await harness.api.call('register', {
        body: { email: admin.email, password: 'a long enough one', name: 'Rosa' },
        headers: { ...from, 'x-request-id': 'taken' },
      });
      const [taken, unknown] = (await entries({ outcome: 'failure', limit: '100' })).filter(({ request_id: id }) =>
        ['unknown', 'taken'].includes(String(id)),
      );
      expect(unknown).to.deep.include({ action: 'login', subject: null, reason: 'invalid_credentials' });
      expect(taken).to.deep.include({ action: 'register', actor: null, subject: null, reason: 'email_taken' });
    });

    it('records the life of a session, including a replayed token', async () => {
      const strict = await harness.replica({ REFRESH_GRACE_SECONDS: '0' });
      const user = await addUser(harness, 'member');
      const first = await logIn(harness, user.email);
      const second = await logIn(harness, user.email);
      const refresh = async () =>
        await strict.api.call('refresh', { body: { refresh_token: first.refresh_token }, headers: from });
      expect((await refresh()).status).to.equal(200);
      expect((await refresh()).status).to.equal(401);
      await harness.api.call('logout', { token: second.access_token, headers: from });
      expect(await storyOf(user.id)).to.deep.equal([
        ...['user.create', 'login', 'login'],
        ...['refresh', 'refresh.reuse', 'logout'],
      ]);
      const [reuse] = await entries({ subject: user.id, action: 'refresh.reuse' });
      expect(reuse).to.deep.include({ actor: null, outcome: 'failure', ...seen });
    });

    it('records changes of users with their actor, and without names', async () => {
      const body = { email: 'audited@example.org', password: 'Sunflower-Kettle-92', name: 'Audited', role: 'manager' };
      const made = await harness.api.call('createUser', { token: admin.token, body, headers: from });
      const { id } = made.body as { id: string };
      const change = { token: admin.token, params: { id }, headers: from };
      await harness.api.call('changeUser', { ...change, body: { name: 'Other', role: 'member' } });
      await harness.api.call('changeUser', { ...change, body: { name: 'Other' } });
      await harness.api.call('deleteUser', change);
      const found = (await entries({ subject: id, actor: admin.id })).toReversed();
      expect(found.map(({ action, reason }) => [action, reason])).to.deep.equal([
        ['user.create', 'manager'],
        ['role.change', 'manager to member'],
        ['user.change', 'name'],
        ['user.delete', null],
      ]);
      for (const entry of found) expect(entry).to.deep.include({ actor: { kind: 'user', id: admin.id }, ...seen });
      expect(JSON.stringify(found)).not.to.match(/audited@|Other/);
    });

    it('is committed together with its change, or not at all', async () => {
      const user = await addUser(harness, 'member');
      const { pool } = harness.database.db;
      await pool.query(`ALTER TABLE audit_log ADD CONSTRAINT broken CHECK (action <> 'user.change') NOT VALID`);
      try {
        const change = { token: admin.token, params: { id: user.id }, body: { name: 'Never' } };
        expect((await harness.api.call('changeUser', change)).status).to.equal(500);
      } finally {
        await pool.query('ALTER TABLE audit_log DROP CONSTRAINT broken');
      }
      const read = await harness.api.call('getUser', { token: admin.token, params: { id: user.id } });
      expect(read.body).to.include({ name: user.name, version: 1 });
    });

    it("records the provider's log-in, consent, codes, refreshes, reuse, revocation and log-out", async () => {
      const browser = harness.browser();
      const parameters = { scope: 'openid offline_access', prompt: 'consent' };
      const code = await harness.code({ browser, parameters });
      const { id } = code.person;
      const tokens = (await harness.exchange(code)).body as { refresh_token: string };
      const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
      await harness.asPortal('/oidc/token', fields);
      await harness.asPortal('/oidc/revoke', { token: tokens.refresh_token });
      const again = await harness.code({ person: code.person, browser, parameters });
      await harness.exchange(again);
      expect((await harness.exchange(again)).status).to.equal(400);
      const page = await browser.open('/oidc/logout');
      await browser.submit(page, { logout: 'yes' });
      expect((await storyOf(id)).filter((action) => action !== 'user.create')).to.deep.equal([
        ...['login', 'code.exchange', 'refresh', 'consent.revoke'],
        ...['code.exchange', 'code.reuse', 'logout'],
      ]);
      const client = { kind: 'client', id: portal.client_id };
      const person = { kind: 'user', id };
      expect(await entries({ actor: id, subject: portal.client_id })).to.have.length(2);
      const [consent] = await entries({ actor: id, action: 'consent' });
      expect(consent).to.deep.include({ actor: person, subject: client });
      const [exchange] = await entries({ subject: id, action: 'code.exchange' });
      expect(exchange).to.deep.include({ actor: client, subject: person });
      const [revoked] = await entries({ subject: id, action: 'consent.revoke' });
      expect(revoked).to.deep.include({ actor: client, subject: person });
      const [login] = await entries({ subject: id, action: 'login' });
      expect(login).to.deep.include({ actor: person, outcome: 'success', reason: portal.client_id });
      expect(login?.ip).to.match(/^(127\.0\.0\.1|::1)$/);
    });

    it('records clients that the token endpoint refused', async () => {
      const wrong = { authorization: `Basic ${Buffer.from(`${portal.client_id}:wrong`).toString('base64')}` };
      await harness.api.form('/oidc/token', { grant_type: 'client_credentials' }, { ...wrong, ...from });
      const [refused] = await entries({ action: 'token.request', subject: portal.client_id });
      expect(refused).to.deep.include({
        actor: null,
        outcome: 'failure',
        reason: 'invalid_client: the secret is wrong',
        ...seen,
      });
    });

    it('records actions of the command line and the schedule', async () => {
      const clients = createStoredClients(harness.database.db);
      const client = { client_id: 'short-lived', secret_hash: 'x'.repeat(43), grant_types: [], grants: [] };
      const settings = {
        ...client,
        redirect_uris: [],
        post_logout_redirect_uris: [],
        application_type: 'web',
      } as const;
      const by = { ...systemContext, actor: { kind: 'command_line' } } as const;
      expect(await clients.add(settings, by)).to.equal(true);
      expect(await clients.add(settings, by)).to.equal(false);
      expect(await clients.setSecret('short-lived', 'y'.repeat(43), by)).to.equal(true);
      expect(await clients.remove('short-lived', by)).to.equal(true);
      expect(await storyOf('short-lived')).to.deep.equal(['client.add', 'client.rotate_secret', 'client.remove']);
      const [removed] = await entries({ subject: 'short-lived' });
      expect(removed).to.deep.include({ actor: { kind: 'command_line', id: null }, ip: null, user_agent: null });

      const schedule = { rotationSeconds: 3600, overlapSeconds: 900, retiredSeconds: 7200 };
      const secret = Buffer.from(harness.settings['KEY_ENCRYPTION_SECRET'] ?? '', 'base64');
      await rotateKeys(createSealedKeys(harness.database.db), secret, schedule).addNext(systemContext);
      const [rotated] = await entries({ action: 'keys.rotate' });
      expect(rotated?.actor).to.deep.equal({ kind: 'system', id: null });
      expect(rotated?.subject?.kind).to.equal('key');
    });
  });

  describe('the append-only table', () => {
    it('refuses UPDATE, DELETE and TRUNCATE from any role', async () => {
      const { pool } = harness.database.db;
      const before = await rows();
      for (const statement of [
        "UPDATE audit_log SET outcome = 'success'",
        'UPDATE audit_log SET ip = NULL',
        'DELETE FROM audit_log',
        'TRUNCATE audit_log',
      ]) {
        const error: unknown = await pool.query(statement).catch((caught: unknown) => caught);
        expect(String(error), statement).to.contain('audit_log is append-only');
      }
      expect(await rows()).to.equal(before);
    });

    it('loses addresses first and entries later to retention by age, and never accepts TRUNCATE', async () => {
      const { pool } = harness.database.db;
      const old = async (age: string) => {
        const { rows: made } = await pool.query<{ id: string }>(
          `INSERT INTO audit_log (at, action, outcome, ip, user_agent)
           VALUES (clock_timestamp() - $1::interval, 'login', 'failure', '192.0.2.77', 'Old/1') RETURNING id`,
          [age],
        );
        return made[0]?.id;
      };
      const [entry, origin, young] = [await old('41 days'), await old('11 days'), await old('9 days')];
      const before = (await rows()) ?? 0;
      await pool.query("SELECT retain_audit_log('10 days', '40 days', 100)");
      const left = await entries({ action: 'login', until: new Date(Date.now() - 86_400_000).toISOString() });
      expect(left.map(({ id, ip, user_agent: agent }) => [id, ip, agent])).to.deep.equal([
        [young, '192.0.2.77', 'Old/1'],
        [origin, null, null],
      ]);
      expect(left.map(({ id }) => id)).not.to.include(entry);
      // the search made by this test adds an entry itself
      expect(await rows()).to.equal(before - 1 + 1);
      const error: unknown = await pool.query('DELETE FROM audit_log').catch((caught: unknown) => caught);
      expect(String(error)).to.contain('audit_log is append-only');
    });
  });

  it('counts refusals beyond a limit instead of recording each of them', async () => {
    const flooded = await oidcHarness();
    try {
      const { token } = await loggedIn(flooded, 'admin');
      const guess = async (ip: string, name = 'unknown') =>
        await flooded.api.call('login', {
          body: { email: `${name}@example.org`, password: 'a wrong one' },
          headers: { 'x-forwarded-for': ip },
        });
      // the first 10 guesses from one address are checked; then the limit refuses
      for (let count = 0; count < 60; count++) await guess('198.51.100.1');
      for (let host = 1; host <= 150; host++) await guess(`203.0.113.${host}`, `unknown-${host}`);
      const failures = async () => {
        const { rows: found } = await flooded.database.db.pool.query<{
          reason: string;
          entries: number;
          times: number;
        }>(
          `SELECT reason, count(*)::int AS entries, sum(count)::int AS times FROM audit_log
           WHERE action = 'login' AND outcome = 'failure' GROUP BY reason ORDER BY reason`,
        );
        return found;
      };
      expect(await failures()).to.deep.equal([{ reason: 'invalid_credentials', entries: 120, times: 120 }]);
      await flooded.service.refusalFlush.tick();
      expect(await failures()).to.deep.equal([
        { reason: 'invalid_credentials', entries: 160, times: 160 },
        { reason: 'rate_limited', entries: 1, times: 50 },
      ]);
      // a stopping process writes the counts of its unfinished period
      await guess('198.51.100.1');
      await flooded.service.refusalFlush.stop();
      expect((await failures()).at(-1)).to.deep.equal({ reason: 'rate_limited', entries: 2, times: 51 });
      const answer = await flooded.api.call('listAudit', { token, query: { ip: '198.51.100.0/24' } });
      expect((answer.body as { data: AuditEntry[] }).data.map(({ count }) => count).slice(0, 2)).to.deep.equal([1, 50]);
    } finally {
      await flooded.stop();
    }
  });

  describe('reading the log', () => {
    it('is allowed to admins only', async () => {
      const manager = await loggedIn(harness, 'manager');
      expectProblem(await harness.api.call('listAudit', { token: manager.token }), 'forbidden');
      expectProblem(await harness.api.call('listAudit'), 'unauthenticated');
    });

    it("returns pages that new entries don't shift", async () => {
      const user = await addUser(harness, 'member');
      for (let count = 0; count < 4; count++) await logIn(harness, user.email);
      const all = await entries({ subject: user.id });
      const read: AuditEntry[] = [];
      let cursor: string | null | undefined;
      while (cursor !== null) {
        const query = { subject: user.id, limit: '2', ...(cursor === undefined ? {} : { cursor }) };
        const answer = await harness.api.call('listAudit', { token: admin.token, query });
        const page = answer.body as { data: AuditEntry[]; next_cursor: string | null };
        read.push(...page.data);
        cursor = page.next_cursor;
        await logIn(harness, user.email);
      }
      expect(read).to.deep.equal(all);
    });

    it('filters by time, address, network and outcome', async () => {
      const user = await addUser(harness, 'member');
      const attempt = async (ip: string) =>
        await harness.api.call('login', { body: { email: user.email, password }, headers: { 'x-forwarded-for': ip } });
      await attempt('192.0.2.5');
      await attempt('192.0.2.200');
      await attempt('2001:db8::7');
      const found = async (query: Record<string, string>) =>
        (await entries({ subject: user.id, action: 'login', ...query })).map(({ ip }) => ip);
      expect(await found({ ip: '192.0.2.5' })).to.deep.equal(['192.0.2.5']);
      expect(await found({ ip: '192.0.2.0/24' })).to.deep.equal(['192.0.2.200', '192.0.2.5']);
      expect(await found({ ip: '2001:db8::/64' })).to.deep.equal(['2001:db8::7']);
      expect(await found({ outcome: 'failure' })).to.deep.equal([]);
      const [last, middle] = await entries({ subject: user.id, action: 'login' });
      expect(await found({ since: last?.at ?? '' })).to.deep.equal(['2001:db8::7']);
      expect(await found({ since: middle?.at ?? '', until: last?.at ?? '' })).to.deep.equal(['192.0.2.200']);
      for (const query of [
        { ip: 'x' },
        { since: 'yesterday' },
        { action: 'everything' },
        { since: '0000-01-01T00:00:00Z' },
      ]) {
        expectProblem(await harness.api.call('listAudit', { token: admin.token, query }), 'invalid_input');
      }
      expectProblem(await harness.api.call('listAudit', { token: admin.token, query: { cursor: 'x' } }), 'bad_cursor');
    });
  });
});
