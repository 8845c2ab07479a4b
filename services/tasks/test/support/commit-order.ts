import { query, type Database } from '@taskwire/postgres';

/** An entry of the activity log. `other`: the blocker of a changed dependency. `deletion`: the root of the deletion that took the task, if any. */
export type Entry = { id: string; action: string; other: string | null; deletion: string | null };

/**
 * Numbers the entries of the activity log when their transactions commit, while these still hold their locks. Of two transactions that lock the same
 * task, the one whose changes the other saw has the lower numbers. The times of the entries need not have this order: a transaction that ends a task
 * may lock a task that it blocks only afterwards, if the dependency was added in the meantime (ADR 56).
 */
export async function numberCommits({ pool }: Database): Promise<void> {
  await query(
    pool,
    'CREATE TABLE committed_entries (place bigint GENERATED ALWAYS AS IDENTITY, seq bigint PRIMARY KEY)',
  );
  await query(
    pool,
    `CREATE FUNCTION number_commit() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN INSERT INTO committed_entries (seq) VALUES (NEW.seq); RETURN NULL; END'`,
  );
  await query(
    pool,
    `CREATE CONSTRAINT TRIGGER number_commit AFTER INSERT ON task_activity DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION number_commit()`,
  );
}

/** The entries of these tasks since `numberCommits`, in the order of the commits or of their times. */
export async function readEntries(
  { pool }: Database,
  ids: readonly string[],
  order: 'commits' | 'times' = 'commits',
): Promise<Entry[]> {
  return await query<Entry>(
    pool,
    `SELECT task.id, entry.action, task.deletion_id AS deletion, coalesce(entry.to_value, entry.from_value) #>> '{}' AS other
     FROM task_activity entry JOIN committed_entries USING (seq) JOIN tasks task ON task.id = entry.task_id
     WHERE task.id = ANY ($1) ORDER BY ${order === 'commits' ? 'place' : 'entry.created_at, seq'}`,
    [ids],
  );
}

/** How often a task was announced as unblocked. */
export function timesAnnounced(id: string, log: readonly Entry[]): number {
  return log.filter((entry) => entry.id === id && entry.action === 'unblocked').length;
}

/** How often a task lost its last blocker. A deletion that took the task too does not count. */
export function timesUnblocked(id: string, log: readonly Entry[]): number {
  const [blockers, ended] = [new Set<string>(), new Set<string>()];
  const isWaiting = () => [...blockers].some((one) => !ended.has(one));
  let times = 0;
  for (const { id: of, action, other, deletion } of log) {
    if (of === id && action === 'blocker_added') blockers.add(other ?? '');
    if (of === id && action === 'blocker_removed') blockers.delete(other ?? '');
    if (!['completed', 'cancelled', 'deleted'].includes(action)) continue;
    const wasWaiting = isWaiting();
    ended.add(of);
    const isTogether = action === 'deleted' && log.some((one) => one.id === id && one.deletion === deletion);
    if (of !== id && wasWaiting && !isWaiting() && !ended.has(id) && !isTogether) times += 1;
  }
  return times;
}
