import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { tasksTeam } from './support/tasks-harness.ts';

/** The delay that the specification promises. */
const latestSeconds = 2;

describe('Reminders from two workers', function () {
  this.timeout(60_000);
  let team: Awaited<ReturnType<typeof tasksTeam>>;
  before(async () => (team = await tasksTeam()));
  after(async () => await team.harness.stop());

  it('are at most two seconds late, each sent once, whenever they become due', async () => {
    const { harness, ann } = team;
    await harness.replica({ PROCESS_ROLE: 'worker' });
    const { pool } = harness.database.db;
    const count = 100;
    // one every 60 ms for six seconds, the first after the requests have ended
    const firstMs = Date.now() + 5_000;
    for (let n = 0; n < count; n++) {
      const due_at = new Date(firstMs + n * 60).toISOString();
      await harness.createTask(ann, { due_at });
    }
    const settled = async () =>
      (
        await query<{ sent: number; p50: number; max: number }>(
          pool,
          `SELECT count(*)::integer AS sent, max(late)::float8 AS max,
             (percentile_cont(0.5) WITHIN GROUP (ORDER BY late))::float8 AS p50
           FROM (
             SELECT extract(epoch FROM settled_at - greatest(remind_at, created_at)) AS late
             FROM task_reminders JOIN tasks ON tasks.id = task_id WHERE task_reminders.kind = 'overdue' AND task_reminders.state = 'sent'
           ) AS reminder`,
        )
      )[0]!;
    await waitFor(async () => (await settled()).sent === count, { timeoutMs: 40_000 });
    const { p50, max } = await settled();
    expect(max, `the latest, with a median of ${p50} s`).to.be.below(latestSeconds);
    const entries = await query<{ count: number }>(
      pool,
      `SELECT count(*)::integer AS count FROM task_activity WHERE action = 'overdue' GROUP BY task_id`,
    );
    expect(entries).to.deep.equal(Array.from({ length: count }, () => ({ count: 1 })));
  });
});
