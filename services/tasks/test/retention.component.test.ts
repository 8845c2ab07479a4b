import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf } from './support/api.ts';
import { tableRetention } from '../src/postgres/retention.ts';
import { retentionPeriods } from '../src/wire/retention.ts';
import { tasksHarness, type TasksHarness } from './support/tasks-harness.ts';

describe('the retention of deleted tasks', () => {
  let harness: TasksHarness;
  before(async () => {
    harness = await tasksHarness({ PROCESS_ROLE: 'api', DELETED_TASK_DAYS: '100' });
    const { pool } = harness.database.db;
    await query(
      pool,
      `INSERT INTO tasks (title, description, state, priority, labels, creator_id, created_at, updated_at, deleted_at)
       SELECT n::text, '', 'draft', 'normal', '{}'::text[], uuidv7(), now(), now(), now() - make_interval(days => n)
       FROM generate_series(1, 350) n
       UNION ALL SELECT 'not deleted', '', 'draft', 'normal', '{}'::text[], uuidv7(), now() - interval '9 years', now(), NULL`,
    );
    await query(
      pool,
      `INSERT INTO task_activity (task_id, action, created_at) SELECT id, 'created', now() FROM tasks
       UNION ALL SELECT id, 'deleted', deleted_at FROM tasks WHERE deleted_at IS NOT NULL`,
    );
  });
  after(async () => await harness.stop());

  const overdue = async () => {
    const lines = (await harness.service.telemetry.metrics.metrics()).split('\n');
    const line = lines.find((one) => one.startsWith('retention_overdue_seconds{') && one.includes('rule="tasks"'));
    return Number(line?.split(' ').at(-1));
  };

  it('reports how late it is, removes them with their activity after DELETED_TASK_DAYS, in batches, and no others', async () => {
    const { pool } = harness.database.db;
    const [removed] = await query<{ id: string }>(pool, "SELECT id FROM tasks WHERE title = '110'");
    expect(await overdue()).to.be.within(250 * 86_400, 250 * 86_400 + 60);
    const rounds = [];
    do rounds.push(await harness.service.retention.tick());
    while (rounds.at(-1) === 'more');
    expect(rounds).to.deep.equal(['more', 'more', 'idle']);
    const counts = await query(
      pool,
      `SELECT (SELECT count(*)::integer FROM tasks) AS tasks, (SELECT count(*)::integer FROM task_activity) AS entries,
         (SELECT max(now() - deleted_at) < interval '100 days' FROM tasks) AS "isYoung"`,
    );
    expect(counts).to.deep.equal([{ tasks: 100, entries: 199, isYoung: true }]);
    const { token } = await harness.join('Mona', 'manager');
    const restored = await harness.call('restoreTask', { token, params: { id: removed?.id ?? '' } });
    expect(codeOf(restored)).to.equal('not_found');
  });

  it('leaves a tombstone of each until 91 days after DELETED_TASK_DAYS, which services get as 410', async () => {
    const { pool } = harness.database.db;
    const tombstones = await query<{ id: string; days: number; isNumbered: boolean }>(
      pool,
      `SELECT task_id AS id, extract(days FROM now() - deleted_at)::integer AS days, change_no > 0 AS "isNumbered"
       FROM task_tombstones ORDER BY deleted_at DESC`,
    );
    expect(tombstones.map(({ days }) => days)).to.deep.equal(Array.from({ length: 91 }, (_, index) => 100 + index));
    expect(tombstones.every(({ isNumbered }) => isNumbered)).to.equal(true);
    const token = await harness.auth.serviceToken('tasks:read');
    const read = async (id: string) => await harness.call('getInternalTask', { token, params: { id } });
    expect((await read(tombstones[0]?.id ?? '')).status).to.equal(410);
    expect((await read(crypto.randomUUID())).status).to.equal(404);
    const ids = tombstones.slice(0, 2).map(({ id }) => id);
    const several = await harness.call('getInternalTasks', { token, query: { ids: ids.join() } });
    expect((several.body as { deleted: string[] }).deleted).to.have.members(ids);
  });
});

describe('The retention of tombstones', () => {
  const retentionOf = (days: number) => {
    const others = {
      OCCURRENCE_DAYS: 90,
      SETTLED_JOB_DAYS: 7,
      DEAD_JOB_DAYS: 90,
      DEAD_LETTER_DAYS: 30,
      DEAD_LETTER_AUDIT_DAYS: 400,
    };
    const tables = tableRetention(retentionPeriods({ DELETED_TASK_DAYS: days, ...others }));
    return tables.flatMap(({ rules }) => rules).find(({ table }) => table === 'task_tombstones')?.keeps;
  };

  it('lasts 121 days from the deletion, or 91 days more than a deleted task is kept if that is longer', () => {
    for (const [days, kept] of [
      [1, 121],
      [30, 121],
      [31, 122],
      [3_650, 3_741],
    ] as const)
      expect(retentionOf(days), `${days}`).to.match(new RegExp(`^${kept} days after the task was deleted`));
  });
});

describe('The activity log', () => {
  let harness: TasksHarness;
  before(async () => {
    harness = await tasksHarness({ PROCESS_ROLE: 'api' });
    await harness.createTask(await harness.join('Ann', 'member'));
  });
  after(async () => await harness.stop());

  it('is append-only, except for remove_deleted_tasks()', async () => {
    const { pool } = harness.database.db;
    const forged = `
      CREATE FUNCTION remove_deleted_task_s(interval, integer) RETURNS integer LANGUAGE plpgsql AS
      $$ BEGIN DELETE FROM task_activity; RETURN 1; END $$`;
    await query(pool, forged);
    const attempts = [
      'DELETE FROM task_activity',
      'UPDATE task_activity SET reason = NULL',
      'TRUNCATE task_activity CASCADE',
      'DELETE FROM task_activity /* remove_deleted_tasks(interval,integer) */',
      'DO $$ BEGIN DELETE FROM task_activity; END $$',
      'DELETE FROM tasks',
      "SELECT remove_deleted_task_s('1 day', 1)",
      "SELECT set_config('taskwire.removes_tasks', 'on', false); DELETE FROM task_activity",
    ];
    for (const attempt of attempts) {
      const refused: unknown = await query(pool, attempt).catch((error: unknown) => error);
      expect(String(refused), attempt).to.match(/append-only|violates foreign key/);
    }
    const entries = 'SELECT (SELECT count(*)::integer FROM task_activity) AS left';
    expect(await query(pool, entries)).to.deep.equal([{ left: 1 }]);
    await query(pool, "UPDATE tasks SET deleted_at = now() - interval '2 days'");
    await query(pool, "SELECT remove_deleted_tasks('1 day', 1)");
    expect(await query(pool, entries)).to.deep.equal([{ left: 0 }]);
    const [definition] = await query<{ text: string }>(
      pool,
      "SELECT pg_get_functiondef(oid) AS text FROM pg_proc WHERE proname = 'remove_deleted_tasks'",
    );
    expect(definition?.text).to.include(' SECURITY DEFINER\n SET search_path TO ');
  });
});
