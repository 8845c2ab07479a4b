import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { tasksHarness, type TasksHarness } from './support/tasks-harness.ts';

describe('the retention of deleted tasks', () => {
  let harness: TasksHarness;
  before(async () => {
    harness = await tasksHarness({ PROCESS_ROLE: 'api' });
    const { pool } = harness.database.db;
    await query(
      pool,
      `INSERT INTO tasks (title, description, state, priority, labels, creator_id, created_at, updated_at, deleted_at)
       SELECT n::text, '', 'draft', 'normal', '{}'::text[], uuidv7(), now(), now(), now() - make_interval(days => n)
       FROM generate_series(266, 615) n
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
    expect(await overdue()).to.be.within(250 * 86_400, 250 * 86_400 + 60);
    const rounds = [];
    do rounds.push(await harness.service.retention.tick());
    while (rounds.at(-1) === 'more');
    expect(rounds).to.deep.equal(['more', 'more', 'idle']);
    const counts = await query(
      pool,
      `SELECT (SELECT count(*)::integer FROM tasks) AS tasks, (SELECT count(*)::integer FROM task_activity) AS entries,
         (SELECT max(now() - deleted_at) < interval '365 days' FROM tasks) AS "isYoung"`,
    );
    expect(counts).to.deep.equal([{ tasks: 100, entries: 199, isYoung: true }]);
  });

  it('leaves the activity of other tasks append-only', async () => {
    const refused: unknown = await query(harness.database.db.pool, 'DELETE FROM task_activity').catch(
      (error: unknown) => error,
    );
    expect(String(refused)).to.include('append-only');
  });
});
