import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { largeTableScans, recordStatements } from '@taskwire/testing';
import { defaultRetention } from '../src/wire/retention.ts';
import { hotStatements } from '../src/postgres/statements.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

const step = 10_000;

describe("The plans of Tasks' statements", () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let stored = 0;

  before(async () => {
    harness = await tasksHarness();
    manager = await harness.join('Mia', 'manager');
    ann = await harness.join('Ann', 'member');
    ben = await harness.join('Ben', 'member');
  });
  after(async () => await harness.stop());

  /** Fills the tables with tasks of many users, 95 % of them completed. */
  async function growTo(count: number): Promise<void> {
    const { pool } = harness.database.db;
    await query(pool, fillUsers, [Math.max(1_000, count / 10)]);
    // in steps that finish within the statement timeout on a busy machine
    for (; stored < count; stored = Math.min(count, stored + step)) {
      await query(pool, fillTasks, [stored + 1, Math.min(count, stored + step), ann.id]);
    }
    await query(pool, fillKeys, [count]);
    // autovacuum would do this later; a test can't wait for it
    await query(pool, 'VACUUM ANALYZE');
  }

  /** Runs every prepared statement at least once. */
  async function useEverything(): Promise<void> {
    const draft = await harness.createTask(ann, { title: 'Draft', labels: ['garden'] });
    for (const body of [{ title: 'Once' }, { title: 'Once', assignee_id: ben.id }]) {
      const headers = { 'idempotency-key': randomUUID() };
      for (const _ of [1, 2]) await harness.call('createTask', { token: manager.token, body, headers });
    }
    const task = await harness.createTask(manager, { assignee_id: ann.id, due_at: '2030-01-01T00:00:00Z' });
    const change = { token: manager.token, params: { id: task.id }, body: { title: 'Other' } };
    // the second change finds nothing to do
    for (const _ of [1, 2]) await harness.call('changeTask', { ...change, headers: { 'if-match': '*' } });
    await harness.transition(ann, task, 'in_progress');
    await harness.transition(ann, task, 'completed');
    await harness.assign(manager, draft, ben);
    await harness.call('assignTask', { token: manager.token, params: { id: draft.id }, body: { assign: 'random' } });
    await harness.read(ann, task);
    await harness.activity(ann, task);
    const filters: Record<string, string>[] = [
      {},
      { mine: 'true' },
      { state: 'assigned' },
      { assignee: ann.id },
      { creator: ann.id },
    ];
    for (const filter of filters) await harness.call('listTasks', { token: ann.token, query: filter });
    await harness.call('deleteTask', { token: manager.token, params: { id: task.id }, headers: { 'if-match': '*' } });
    await harness.become(ben, 'manager');
    await harness.service.reassigner.tick();
    await harness.become(ben, 'member');
    await harness.service.retention.tick();
    const { db } = harness.service;
    for (const { rules } of defaultRetention) for (const rule of rules) await rule.overdueSeconds(db);
    await harness.service.directory.reconciler.tick();
  }

  for (const count of [100, 10_000, 100_000]) {
    it(`scan no large table sequentially, and are those of statements.sql, with ${count} tasks`, async () => {
      await growTo(count);
      const { pool } = harness.service.db;
      const log = recordStatements(pool);
      await useEverything();
      const ran = log.statements();
      expect(ran.length, 'statements that were seen').to.be.greaterThan(20);
      expect(await largeTableScans(harness.database.db.pool, ran)).to.deep.equal([]);
      const prepared = ran.filter(({ name }) => name?.startsWith('tasks.'));
      expect(prepared.map(({ name, text }) => ({ name, text }))).to.have.deep.members(hotStatements);
    });
  }

  it('are reported when they scan a large table (canary)', async () => {
    const text = "SELECT id FROM tasks WHERE title = 'x' AND $1::text IS NOT NULL";
    const ran = [{ name: 'canary', text, values: ['x'] }];
    expect(await largeTableScans(harness.database.db.pool, ran)).to.deep.equal([`tasks: ${text}`]);
  });
});

const fillUsers = `
  INSERT INTO directory_users (id, event_at, name, email, role, version, is_deleted, email_verified, updated_at, fetched_at)
  SELECT gen_random_uuid(), now(), 'Person ' || n, n || '@example.org', 'admin', 1, false, true, now(), now()
  FROM generate_series((SELECT count(*) FROM directory_users), $1) AS n`;

const fillTasks = `
  WITH people AS MATERIALIZED (SELECT array_agg(id) AS ids FROM (SELECT id FROM directory_users LIMIT 1000) AS person),
  stored AS (
    INSERT INTO tasks (title, description, state, priority, labels, creator_id, assignee_id, created_at, updated_at)
    SELECT 'Task ' || n, '', CASE WHEN n % 20 = 0 THEN 'assigned' ELSE 'completed' END, 'normal', '{}', ids[n % 1000 + 1],
      CASE WHEN n % 20 = 0 THEN $3::uuid ELSE ids[n % 1000 + 1] END, now(), now()
    FROM people, generate_series($1::integer, $2::integer) AS n
    RETURNING id, created_at, title
  )
  INSERT INTO task_activity (task_id, action, created_at)
  SELECT id, 'created', created_at FROM stored WHERE title LIKE '%0'`;

const fillKeys = `
  INSERT INTO idempotency_keys (actor_id, key, fingerprint, response_body, etag)
  SELECT gen_random_uuid(), n::text, '\\x00', '{}', 1 FROM generate_series(1, $1::integer / 10) AS n`;
