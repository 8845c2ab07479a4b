import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import { isoMicros, nextTimestamp, query, type Database } from '@taskwire/postgres';
import type { Reminders, SettledReminder } from '../app/send-reminders.ts';
import type { RemindedTask } from '../domain/reminder.ts';
import { changeSpan, recordChangeSql } from './record-change.ts';

export const nextReminder = {
  name: 'tasks.next_reminder',
  text: `
  SELECT (extract(epoch FROM remind_at - clock_timestamp()) * 1000)::float8 AS "untilMs" FROM task_reminders
  WHERE state = 'armed' ORDER BY remind_at LIMIT 1`,
};

// locks tasks, not reminders: every write changes the task first, and a trigger then changes its reminders. `now()`, because an index can't serve the
// volatile `clock_timestamp()`
export const lockDueTasks = {
  name: 'tasks.lock_due_tasks',
  text: `
  SELECT task.id FROM task_reminders reminder JOIN tasks task ON task.id = reminder.task_id
  WHERE reminder.state = 'armed' AND reminder.remind_at <= now()
  ORDER BY reminder.remind_at LIMIT $1
  FOR UPDATE OF task SKIP LOCKED`,
};

// `settled_at IS NULL` means the same as `state = 'armed'`. With the latter, PostgreSQL could read all armed reminders for each task: it prefers their
// small index while its statistics are from a time with few of them (52 reminders/s of 100,000 instead of 5,800).
export const readDueReminders = {
  name: 'tasks.read_due_reminders',
  text: `
  SELECT task.id, task.assignee_id, task.due_time_zone, task.due_all_day, due.reminders
  FROM tasks task CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
      'kind', kind, 'due_at', ${isoMicros('reminder.due_at')}, 'has_passed', reminder.due_at <= clock_timestamp()
    )) AS reminders
    FROM task_reminders reminder
    WHERE reminder.task_id = task.id AND reminder.settled_at IS NULL AND reminder.remind_at <= now()
  ) due
  WHERE task.id = ANY ($1::uuid[]) AND due.reminders IS NOT NULL
  ORDER BY task.id`,
};

export const settleReminders = {
  name: 'tasks.settle_reminders',
  text: `
  WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS listed (id uuid, settled jsonb, events jsonb, log jsonb)
  ), settled AS (
    UPDATE task_reminders reminder SET state = outcome.state, settled_at = clock_timestamp()
    FROM given CROSS JOIN LATERAL jsonb_to_recordset(given.settled) AS outcome (kind text, due_at timestamptz, state text)
    WHERE reminder.task_id = given.id AND reminder.kind = outcome.kind AND reminder.due_at = outcome.due_at
      AND reminder.settled_at IS NULL
    RETURNING reminder.task_id, reminder.kind, reminder.state, reminder.settled_at - reminder.remind_at AS late
  ), reminded AS MATERIALIZED (
    SELECT given.id, task.project_id, given.events, given.log, ${nextTimestamp('task.updated_at', changeSpan)} AS updated_at
    FROM given JOIN tasks task ON task.id = given.id
    WHERE given.id IN (SELECT task_id FROM settled)
  ), ${recordChangeSql('reminded', 'NULL::uuid', '$2::json')}
  SELECT kind, state, extract(epoch FROM late)::float8 AS "lateSeconds" FROM settled`,
};

/** The PostgreSQL store of reminders. */
export function createReminders(db: Database): Reminders {
  return {
    transaction: async (work) => await db.transaction(work),
    async untilNextMs() {
      const [row] = await query<{ untilMs: number }>(db.pool, nextReminder);
      return row?.untilMs;
    },
    async lockDueTasks(tx, limit) {
      const rows = await query<{ id: string }>(tx, { ...lockDueTasks, values: [limit] });
      return [...new Set(rows.map(({ id }) => id))];
    },
    readDue: async (tx, taskIds) => await query<RemindedTask>(tx, { ...readDueReminders, values: [taskIds] }),
    settle: async (tx, settlements) =>
      await runWithEvents<SettledReminder>(tx, {
        ...settleReminders,
        values: [JSON.stringify(settlements), eventHeaders()],
      }),
  };
}
