import { expect } from 'chai';
import type { User } from '../src/app/ports/users.ts';
import { expectProblem } from './support/api.ts';
import {
  addUser,
  authHarness,
  cheapPasswords,
  loggedIn,
  password,
  serviceToken,
  type AuthHarness,
} from './support/auth-harness.ts';

type InternalUser = User & { is_deleted: boolean };
type Page = { data: InternalUser[]; next_cursor: string | null };

describe('erasure of personal data', () => {
  let harness: AuthHarness;
  let admin: Awaited<ReturnType<typeof loggedIn>>;
  before(async () => {
    // without workers, so that events stay in the outbox and the loop runs only when a test ticks it
    harness = await authHarness({ PROCESS_ROLE: 'api', AUDIT_ORIGIN_DAYS: '7' }, { passwords: cheapPasswords() });
    admin = await loggedIn(harness, 'admin');
  });
  after(async () => {
    await harness.stop();
  });

  const erase = async () => {
    while ((await harness.service.retention.tick()) === 'more');
  };
  const remove = async (id: string) => await harness.api.call('deleteUser', { token: admin.token, params: { id } });
  const later = async (id: string, days: number) =>
    await harness.database.db.pool.query(
      'UPDATE users SET deleted_at = deleted_at - make_interval(days => $2) WHERE id = $1',
      [id, days],
    );
  const internal = async (query: Record<string, string>) =>
    (await harness.api.call('listInternalUsers', { token: await serviceToken(harness), query })).body as Page;

  it('erases name and address of a deleted user after thirty days, and not before', async () => {
    const [old, young, living] = [
      await addUser(harness, 'member', { email: 'gone.person@example.org', name: 'Gone Person' }),
      await addUser(harness, 'member'),
      await addUser(harness, 'member'),
    ];
    await remove(old.id);
    await remove(young.id);
    await later(old.id, 31);
    await later(young.id, 29);
    await erase();
    const { rows } = await harness.database.db.pool.query<{ id: string; email: string; name: string }>(
      'SELECT id, email, name FROM users WHERE id = ANY ($1) ORDER BY id',
      [[old.id, young.id, living.id]],
    );
    expect(rows).to.deep.equal([
      { id: old.id, email: '', name: 'Deleted user' },
      { id: young.id, email: young.email, name: young.name },
      { id: living.id, email: living.email, name: living.name },
    ]);
    const links = await harness.database.db.pool.query<{ user_id: string }>(
      'SELECT user_id FROM account_links WHERE user_id = ANY ($1) ORDER BY user_id',
      [[old.id, young.id, living.id]],
    );
    expect(links.rows.map((row) => row.user_id)).to.deep.equal([young.id, living.id]);
  });

  it('leaves a tombstone with a new version and a later time, which services find by their queries for changes', async () => {
    const user = await addUser(harness, 'manager');
    await remove(user.id);
    const [before] = (await internal({ updated_since: user.updated_at, limit: '100' })).data.filter(
      ({ id }) => id === user.id,
    );
    await later(user.id, 31);
    await erase();
    const [after] = (await internal({ updated_since: before?.updated_at ?? '', limit: '100' })).data.filter(
      ({ id }) => id === user.id,
    );
    expect(after).to.include({ is_deleted: true, email: '', name: 'Deleted user', role: 'manager', version: 3 });
    expect((after?.updated_at ?? '') > (before?.updated_at ?? '')).to.equal(true);
    const token = await serviceToken(harness);
    expectProblem(await harness.api.call('getInternalUser', { token, params: { id: user.id } }), 'gone');
    expectProblem(await harness.api.call('getUser', { token: admin.token, params: { id: user.id } }), 'gone');
    // a second round erases nothing more
    await erase();
    const [still] = (await internal({ updated_since: after?.updated_at ?? '', limit: '100' })).data;
    expect(still?.version).to.equal(3);
  });

  it('leaves no data of the user in any table, and releases the address for registration', async () => {
    const account = { email: 'Forget.Me@example.org', password, name: 'Forgetta Meyer' };
    const { id } = (await harness.api.call('register', { body: account })).body as { id: string };
    await harness.api.call('login', { body: { email: account.email, password }, headers: { 'user-agent': 'Hers/1' } });
    await remove(id);
    await later(id, 31);
    const { pool } = harness.database.db;
    // deletes the rows as the purge does, which has its own periods
    await pool.query(
      "UPDATE account_links SET expires_at = clock_timestamp() - interval '30 days' WHERE user_id = $1",
      [id],
    );
    await harness.service.retention.tick();
    await erase();
    const { rows: tables } = await pool.query<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    );
    for (const { name } of tables) {
      const { rows } = await pool.query<{ text: string }>(`SELECT t::text AS text FROM "${name}" t`);
      expect(
        rows.filter(({ text }) => /forget\.me|forgetta|meyer/i.test(text)),
        name,
      ).to.deep.equal([]);
    }
    expect((await harness.api.call('register', { body: account })).status).to.equal(201);
  });

  it('records the erasure, and erases origins after the configured time', async () => {
    const user = await addUser(harness, 'member');
    await remove(user.id);
    await later(user.id, 31);
    await erase();
    const { pool } = harness.database.db;
    const { rows } = await pool.query<{ action: string; actor_kind: string }>(
      "SELECT action, actor_kind FROM audit_log WHERE subject_id = $1 AND action = 'user.erase'",
      [user.id],
    );
    expect(rows).to.deep.equal([{ action: 'user.erase', actor_kind: 'system' }]);
    for (const [age, ip] of [
      ['8 days', '192.0.2.8'],
      ['6 days', '192.0.2.6'],
      ['401 days', '192.0.2.40'],
    ]) {
      await pool.query(
        `INSERT INTO audit_log (at, action, outcome, reason, ip, user_agent)
         VALUES (clock_timestamp() - $1::interval, 'login', 'failure', 'of this test', $2, 'Old/1')`,
        [age, ip],
      );
    }
    await erase();
    const { rows: left } = await pool.query<{ ip: string | null; user_agent: string | null }>(
      "SELECT host(ip) AS ip, user_agent FROM audit_log WHERE reason = 'of this test' ORDER BY at",
    );
    expect(left).to.deep.equal([
      { ip: null, user_agent: null },
      { ip: '192.0.2.6', user_agent: 'Old/1' },
    ]);
  });

  it('works in batches, and two replicas erase each user once', async () => {
    const { pool } = harness.database.db;
    await pool.query(
      `INSERT INTO users (id, email, name, role, email_verified, created_at, updated_at, deleted_at)
       SELECT uuidv7(), 'batch' || number || '@example.org', 'Batch', 'member', true, at, at, at
       FROM generate_series(1, 1200) number, (SELECT clock_timestamp() - interval '40 days' AS at) stamp`,
    );
    const second = await harness.replica();
    const loops = [harness.service.retention, second.service.retention];
    expect(await loops[0]?.tick()).to.equal('more');
    await Promise.all(
      loops.map(async (loop) => {
        while ((await loop.tick()) === 'more');
      }),
    );
    const { rows } = await pool.query("SELECT FROM users WHERE name = 'Batch'");
    expect(rows).to.have.length(0);
    const { rows: versions } = await pool.query(
      'SELECT FROM users WHERE erased_at IS NOT NULL AND email_verified AND version <> 2',
    );
    expect(versions).to.have.length(0);
  });
});
