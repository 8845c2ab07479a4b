import { setTimeout as delay } from 'node:timers/promises';
import type { JobsWorld } from './jobs-world.ts';

/** The number that is due in one second, as the aim requires. */
const atOnce = 1_000;
/** Enough time to insert the rows before they are due. */
const aheadMs = 8_000;
const timeoutMs = 180_000;

export type Lateness = { p50Ms: number; p99Ms: number };

/** Schedules with an occurrence at the same instant, each of which creates a task. They are copies of one row, because a user may create only 200. */
export async function measureSchedules({ suite, pool, adminToken }: JobsWorld): Promise<Lateness> {
  // the instants of rules have no milliseconds
  const at = new Date(Math.ceil((Date.now() + aheadMs) / 1_000) * 1_000).toISOString().replace('.000Z', 'Z');
  const response = await fetch(`${suite.url}/api/v1/schedules`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await adminToken()}` },
    body: JSON.stringify({ kind: 'at', expression: at, target: { kind: 'task', title: 'Water the plants' } }),
  });
  const { id } = (await response.json()) as { id?: string };
  if (id === undefined) throw new Error(`the schedule was refused: ${response.status}`);
  await pool.query(
    `INSERT INTO schedules
     SELECT (jsonb_populate_record(schedule, jsonb_build_object('id', uuidv7()))).* FROM schedules schedule, generate_series(2, $2::integer) WHERE id = $1`,
    [id, atOnce],
  );
  await untilCount(pool, `SELECT FROM schedule_occurrences WHERE state = 'ran' AND nominal_at = $1`, [at], atOnce);
  return await lateness(pool, 'decided_at - nominal_at', 'schedule_occurrences WHERE nominal_at = $1', [at]);
}

/** Reminders at the same instant. */
export async function measureReminders({ pool }: JobsWorld): Promise<Lateness> {
  const at = new Date(Date.now() + aheadMs).toISOString();
  await insertDueTasks(pool, atOnce, at);
  await untilSent(pool, at, atOnce);
  return await lateness(pool, 'settled_at - remind_at', `task_reminders WHERE kind = 'overdue' AND due_at = $1`, [at]);
}

/** Reminders that are due all at once, as after an outage. @returns reminders per second */
export async function drainReminders({ pool }: JobsWorld, count: number): Promise<number> {
  const at = new Date(Date.now() - 60_000).toISOString();
  // armed only later, so that no reminder is sent before all are stored
  await insertDueTasks(pool, count, new Date(Date.now() + 86_400_000).toISOString());
  const began = performance.now();
  const set = `UPDATE task_reminders SET due_at = $1, remind_at = $1 WHERE kind = 'overdue' AND state = 'armed'`;
  await pool.query(set, [at]);
  const inserted = performance.now();
  await untilSent(pool, at, count);
  const seconds = (performance.now() - inserted) / 1_000;
  return inserted > began ? count / seconds : Number.NaN;
}

async function insertDueTasks(pool: JobsWorld['pool'], count: number, dueAt: string): Promise<void> {
  await pool.query(
    `INSERT INTO tasks (title, description, priority, labels, creator_id, state, due_at, remind_before, created_at, updated_at)
     SELECT 'Water the plants', '', 'normal', '{}', (SELECT id FROM directory_users LIMIT 1), 'draft', $1, 'P0D', now(), now()
     FROM generate_series(1, $2::integer)`,
    [dueAt, count],
  );
  // only one reminder per task, so that counting reminders counts tasks
  await pool.query(`DELETE FROM task_reminders WHERE kind = 'due_soon' AND due_at = $1`, [dueAt]);
}

async function untilSent(pool: JobsWorld['pool'], at: string, count: number): Promise<void> {
  const sent = `SELECT FROM task_reminders WHERE kind = 'overdue' AND due_at = $1 AND state = 'sent'`;
  await untilCount(pool, sent, [at], count);
}

async function untilCount(pool: JobsWorld['pool'], rows: string, values: unknown[], count: number): Promise<void> {
  const began = performance.now();
  for (;;) {
    const found = await pool.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM (${rows}) AS found`,
      values,
    );
    if (found.rows[0]?.count === count) return;
    if (performance.now() - began > timeoutMs)
      throw new Error(`${found.rows[0]?.count} of ${count} after ${timeoutMs} ms`);
    await delay(100);
  }
}

async function lateness(pool: JobsWorld['pool'], late: string, from: string, values: unknown[]): Promise<Lateness> {
  const ms = `extract(epoch FROM ${late})::float8 * 1000`;
  const { rows } = await pool.query<Lateness>(
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ${ms}) AS "p50Ms", percentile_cont(0.99) WITHIN GROUP (ORDER BY ${ms}) AS "p99Ms"
     FROM ${from}`,
    values,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('SELECT returned no row');
  return row;
}
