import { randomUUIDv7 } from 'node:crypto';
import { query, type Tx } from '@taskwire/postgres';
import { expect } from 'chai';
import { deliveryLog } from '../src/postgres/deliveries.ts';
import { mailBudget } from '../src/postgres/mail-budget.ts';
import { writeNotifications } from '../src/postgres/notifications.ts';
import { deliveryHarness } from './support/delivery-harness.ts';

const waiting = 20_000;
/** Rows per statement, which keeps each one far below the statement timeout on a busy machine. */
const batch = 5_000;

/** Mails to 200 users about 4,000 tasks, all of them due, and a few being sent. */
const fill = `
  WITH inserted AS (
    INSERT INTO notifications (event_id, user_id, type, task_id, template_data, title, body, happened_at)
    SELECT gen_random_uuid(), md5('user' || g % 200)::uuid, 'task.assigned', md5('task' || g / 5)::uuid, '{}', 'x', 'y',
      now() + g * interval '1 ms'
    FROM generate_series($1::int, $1::int + ${batch} - 1) g
    RETURNING id
  )
  INSERT INTO deliveries (notification_id, channel, delivery_policy, state, next_attempt_at)
  SELECT id, 'email', 'keep_unknown', CASE WHEN $1::int = 1 AND row_number() OVER () <= 10 THEN 'sending' ELSE 'pending' END, now() FROM inserted`;

const fillCounts = `
  INSERT INTO mail_counts (delivery_id, recipient, caller_id, planned_at)
  SELECT id, uuid_send(notification_id), notification_id, now() FROM deliveries WHERE state = 'pending' ORDER BY id OFFSET 1`;

describe('The hot statements of deliveries', () => {
  const harness = deliveryHarness();

  beforeEach(async () => {
    for (let first = 1; first <= waiting; first += batch) await query(harness.database.db.pool, fill, [first]);
    await query(harness.database.db.pool, fillCounts);
    await query(harness.database.db.pool, 'ANALYZE notifications, deliveries, mail_counts');
  });

  async function read(tx: Tx): Promise<number> {
    const [row] = await query<{ rows: number }>(
      tx,
      `SELECT sum(pg_stat_get_xact_tuples_returned(name::regclass))::int AS rows FROM unnest(ARRAY['notifications', 'deliveries', 'mail_counts']) AS name`,
    );
    return row!.rows;
  }

  /** Counts the rows that a statement reads by sequential scans, which read either a whole table or nothing. */
  async function scanned(plan: 'force_generic_plan' | 'force_custom_plan', work: (tx: Tx) => Promise<unknown>) {
    return await harness.database.db.transaction(async (tx) => {
      await query(tx, `SET LOCAL plan_cache_mode = ${plan}`);
      // PostgreSQL also counts earlier transactions of the session that it has not yet reported, at most once a second
      const before = await read(tx);
      await work(tx);
      return (await read(tx)) - before;
    });
  }

  for (const plan of ['force_generic_plan', 'force_custom_plan'] as const) {
    it(`claim due deliveries without a sequential scan, however many wait (${plan})`, async () => {
      let claimed = 0;
      const rows = await scanned(plan, async (tx) => {
        claimed = (await deliveryLog(tx).claim('email', 3, 10_000)).length;
      });
      expect(claimed).to.equal(3);
      expect(rows).to.equal(0);
    });

    it(`count a mail without a sequential scan, whatever the limit (${plan})`, async () => {
      const [{ id } = { id: '' }] = await query<{ id: string }>(
        harness.database.db.pool,
        "SELECT id FROM deliveries WHERE state = 'pending' ORDER BY id LIMIT 1",
      );
      const mail = { deliveryId: id, userId: randomUUIDv7(), address: 'ann@taskwire.test', callerId: randomUUIDv7() };
      for (const limit of [1, 1_000]) {
        const budgets = { ...harness.budgets, perRecipient: { ...harness.budgets.perRecipient, task: limit } };
        const rows = await scanned(plan, async (tx) => {
          const count = async () => await mailBudget(tx, budgets).count({ ...mail, kind: 'task', isVerified: true });
          expect(await count()).to.deep.equal({ kind: 'within' });
        });
        expect(rows).to.equal(0);
      }
    });

    it(`plan a delivery and supersede earlier ones without a sequential scan (${plan})`, async () => {
      const [userId, taskId] = [randomUUIDv7(), randomUUIDv7()];
      const templateData = { task: { id: taskId, title: 'Paint', isDeleted: false }, actor: 'Mia', recipient: 'Ann' };
      const happenedAt = new Date().toISOString();
      const about = {
        eventId: randomUUIDv7(),
        userId,
        type: 'task.assigned',
        actorId: null,
        happenedAt,
        templateData,
      } as const;
      const rows = await scanned(plan, async (tx) => await writeNotifications(tx, [harness.buildNotification(about)]));
      expect(rows).to.equal(0);
    });
  }
});
