import { query, type Database } from '@taskwire/postgres';

/** The number of tasks per statement, which finds the rows by an index within a few milliseconds. */
const batch = 1_000;

const readCached = `
  SELECT id, version, is_deleted FROM task_cache WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT ${batch}`;
const readTasks = 'SELECT id, version, deleted_at IS NOT NULL AS is_deleted FROM tasks WHERE id = ANY ($1::uuid[])';
const forgetCached = 'DELETE FROM task_cache WHERE id = ANY ($1::uuid[])';

type Row = { id: string; version: number; is_deleted: boolean };

/**
 * Removes cached states of tasks from Notifications that do not exist in Tasks, because the changes were lost. Notifications fetches these tasks
 * again. Returns the number of tasks.
 */
export async function forgetLostStates(tasks: Database, notifications: Database): Promise<number> {
  let forgotten = 0;
  for await (const cached of inBatches<Row>(notifications, readCached)) {
    const ids = cached.map(({ id }) => id);
    const present = new Map((await query<Row>(tasks.pool, readTasks, [ids])).map((row) => [row.id, row]));
    const lost = cached.filter((row) => {
      const now = present.get(row.id);
      return now === undefined || now.version < row.version || (row.is_deleted && !now.is_deleted);
    });
    if (lost.length > 0) await query(notifications.pool, forgetCached, [lost.map(({ id }) => id)]);
    forgotten += lost.length;
  }
  return forgotten;
}

const readMentioned = `
  SELECT DISTINCT task_id AS id FROM notifications
  WHERE task_id IS NOT NULL AND ($1::uuid IS NULL OR task_id > $1) ORDER BY task_id LIMIT ${batch}`;

// waiting mails are about a task that no longer exists
const markMissing = `
  WITH marked AS (
    UPDATE notifications SET task_missing_since = clock_timestamp()
    WHERE task_id = ANY ($1::uuid[]) AND task_missing_since IS NULL
    RETURNING id
  ), skipped AS (
    UPDATE deliveries SET state = 'skipped', next_attempt_at = NULL, updated_at = clock_timestamp(),
      last_error = 'the task was lost when Tasks was restored'
    WHERE notification_id IN (SELECT id FROM marked) AND state = 'pending'
    RETURNING id
  )
  SELECT (SELECT count(*) FROM marked)::integer AS notifications, (SELECT count(*) FROM skipped)::integer AS deliveries`;

export type Marked = { notifications: number; deliveries: number };

/** Marks notifications whose task does not exist, and skips their waiting mails. A deleted task still exists in this sense. */
export async function markMissingTasks(tasks: Database, notifications: Database): Promise<Marked> {
  const total: Marked = { notifications: 0, deliveries: 0 };
  for await (const mentioned of inBatches<{ id: string }>(notifications, readMentioned)) {
    const ids = mentioned.map(({ id }) => id);
    const present = new Set((await query<Row>(tasks.pool, readTasks, [ids])).map(({ id }) => id));
    const missing = ids.filter((id) => !present.has(id));
    if (missing.length === 0) continue;
    const [marked] = await query<Marked>(notifications.pool, markMissing, [missing]);
    total.notifications += marked?.notifications ?? 0;
    total.deliveries += marked?.deliveries ?? 0;
  }
  return total;
}

/** Reads rows in the order of their ids. The parameter of `sql` is the last id of the previous batch. */
async function* inBatches<R extends { id: string }>(db: Database, sql: string): AsyncGenerator<R[]> {
  for (let after: string | null = null; ;) {
    const rows: R[] = await query<R>(db.pool, sql, [after]);
    if (rows.length > 0) yield rows;
    after = rows.at(-1)?.id ?? null;
    if (rows.length < batch) return;
  }
}
