import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { fillTables, largeTableScans, planSizes, recordStatements, type RanStatement } from '@taskwire/testing';
import type { ClaimedDelivery } from '../src/app/delivery-log.ts';
import { contentInApp } from '../src/app/notifications/definitions.ts';
import { claimDueDeliveries, deliveryLog, readOpenDeliveries } from '../src/postgres/deliveries.ts';
import { journeysIn } from '../src/postgres/journeys.ts';
import { notificationInbox } from '../src/postgres/notifications.ts';
import { notificationRetention } from '../src/postgres/retention.ts';
import { hotStatements } from '../src/postgres/statements.ts';
import { taskCache } from '../src/postgres/task-cache.ts';
import { defaultRetention } from '../src/wire/retention.ts';
import { serviceHarness } from './support/service-harness.ts';

describe("The plans of Notifications' statements", () => {
  const harness = serviceHarness();
  let stored = 0;

  /** Fills the tables with this number of mailed notifications, 99 % of them sent, to a tenth as many users. */
  async function growTo(count: number): Promise<void> {
    const inserts = [users, notifications, deliveries, attempts, counts, tasks, inbox];
    await fillTables(harness.around.database, inserts, [stored + 1, count]);
    stored = count;
  }

  /** Runs every prepared statement and the statements of the schedules at least once. */
  async function useEverything(): Promise<void> {
    const { db, telemetry } = harness.service.parts;
    await harness.around.publish('tasks.task.assigned', harness.assigned());
    await harness.mailed(({ to }) => to.includes(harness.ann.email));
    await harness.allHandled();
    await useDeliveries();
    await useInbox();
    await readOpenDeliveries(db.pool);
    await journeysIn(db.pool)(harness.task.id, { after: undefined, limit: 50 });
    await notificationRetention(db, { notificationDays: 365, content: contentInApp }, telemetry).tick();
    for (const { rules } of defaultRetention) for (const rule of rules) await rule.overdueSeconds(db);
  }

  async function useDeliveries(): Promise<void> {
    const { db } = harness.service.parts;
    const log = deliveryLog(db.pool);
    const absent = { id: randomUUIDv7(), leaseId: randomUUIDv7() } as ClaimedDelivery;
    await log.claim('no channel', 5, 10_000);
    await log.renew([absent], 10_000);
    const sent = { state: 'sent', outcome: 'sent', detail: '', nextAttemptInMs: null } as const;
    // concurrent calls share a statement, which then passes both to the statement for one delivery
    for (const times of [1, 2]) {
      await Promise.all(Array.from({ length: times }, async () => await log.beginSending(absent, 10_000)));
      await Promise.all(Array.from({ length: times }, async () => await log.record(absent, sent)));
    }
    await log.markLost('email', 60_000);
    await taskCache(db.pool).readLast(harness.task.id);
  }

  async function useInbox(): Promise<void> {
    const { list, countUnread, read, readAll } = notificationInbox(harness.service.parts.db);
    const userId = harness.ann.id;
    for (const after of [undefined, ['2030-01-01T00:00:00Z', randomUUIDv7()]]) {
      for (const unread of [undefined, true, false]) await list({ userId, unread }, { after, limit: 10 });
    }
    await countUnread(userId);
    await read(userId, randomUUIDv7());
    await readAll(userId);
  }

  for (const count of planSizes) {
    it(`scan no large table sequentially, and match statements.sql, with ${count} notifications`, async () => {
      await growTo(count);
      const log = recordStatements(harness.service.parts.db.pool);
      await useEverything();
      const ran = log.statements();
      expect(ran.length, 'statements that were seen').to.be.greaterThan(30);
      expect(await largeTableScans(harness.around.database.db.pool, ran)).to.deep.equal([]);
      expect(ran.filter(isOwn).map(({ name, text }) => ({ name, text }))).to.have.deep.members(hotStatements);
    });
  }

  it('are reported when they scan a large table (canary)', async () => {
    const text = "SELECT FROM notifications WHERE body = 'x' AND $1::text IS NOT NULL";
    const ran = [{ name: 'canary', text, values: ['x'] }];
    expect(await largeTableScans(harness.around.database.db.pool, ran)).to.deep.equal([`notifications: ${text}`]);
  });
});

/**
 * Whether a statement is prepared by Notifications itself, and not by a package. A worker with fewer free slots uses the same statement with another
 * limit.
 */
function isOwn({ name, text }: RanStatement): boolean {
  if (name === undefined || /^(inbox|directory)\./.test(name)) return false;
  const places = /^deliveries\.claim_due_([1-4])$/.exec(name);
  return places === null || text !== claimDueDeliveries(Number(places[1])).text;
}

const range = 'FROM generate_series($1::int, $2::int) n';
/** The ids of the n-th notification's rows, and of its user and its task. */
const id = (what: string, n = 'n') => `md5('${what} ' || ${n})::uuid`;

const users = `
  INSERT INTO directory_users (id, event_at, name, email, role, version, email_verified, updated_at, fetched_at, awaits_introduction)
  SELECT ${id('user')}, now(), 'Person ' || n, n || '@example.org', 'member', 1, true, now(), now(), false ${range} WHERE n % 10 = 0`;

const notifications = `
  INSERT INTO notifications (id, event_id, user_id, type, task_id, actor_id, template_data, title, body, happened_at, read_at, seen_at)
  SELECT ${id('notification')}, ${id('event')}, ${id('user', 'n % 1000')}, 'task.assigned', ${id('task', 'n / 5')}, ${id('user', 'n % 100')},
    '{}', 'x', 'y', now() - interval '1 day' + n * interval '1 ms', CASE WHEN n % 20 > 0 THEN now() END, CASE WHEN n % 20 > 0 THEN now() END ${range}`;

const deliveries = `
  INSERT INTO deliveries (id, notification_id, channel, delivery_policy, state, attempts, next_attempt_at)
  SELECT ${id('delivery')}, ${id('notification')}, 'email', 'keep_unknown', CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'sent' END, 1,
    CASE WHEN n % 100 = 0 THEN now() + interval '1 hour' END ${range}`;

const attempts = `
  INSERT INTO delivery_attempts (delivery_id, number, ended_at, outcome) SELECT ${id('delivery')}, 1, now(), 'sent' ${range}`;

const counts = `
  INSERT INTO mail_counts (delivery_id, recipient, caller_id, planned_at)
  SELECT ${id('delivery')}, uuid_send(${id('user', 'n % 1000')}), ${id('user', 'n % 100')}, now() ${range}`;

const tasks = `
  INSERT INTO task_cache (id, title, creator_id, version, is_deleted, fresh_as_of)
  SELECT ${id('task', 'n')}, 'Task', ${id('user', 'n % 100')}, 1, false, now() ${range} WHERE n % 10 = 0`;

// every fifth message is about a comment
const inbox = `
  INSERT INTO inbox (message_id, handler, aggregate_id, parent_id)
  SELECT ${id('event')}, 'notify', CASE WHEN n % 5 > 0 THEN ${id('task', 'n / 5')} ELSE ${id('comment')} END,
    CASE WHEN n % 5 = 0 THEN ${id('task', 'n / 5')} END ${range}`;
