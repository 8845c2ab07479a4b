import { query, type Queryable } from '@taskwire/postgres';
import type { Standing } from '../app/ports.ts';
import type { Choice } from '../domain/fairness.ts';

/** The advisory lock of fair choices (the bytes of "fairness" as a bigint): any number that nothing else in this database uses. */
const turnLock = '7377291888803504499';

/** Waits for the turn; it ends with the transaction. */
export async function takeTurn(tx: Queryable): Promise<void> {
  await query(tx, 'SELECT pg_advisory_xact_lock($1)', [turnLock]);
}

/**
 * Counted once and put together without a join, which a planner without statistics nests: half a second for 20,000 open tasks instead of
 * some ms.
 * The performer is locked FOR SHARE: a change of the role waits for this transaction, and is then seen together with what it assigned.
 * That lock may wait in its turn, and find that the role has just been lost; then nothing is chosen.
 */
const chooseFairly = `
  WITH held AS MATERIALIZED (
    SELECT assignee_id, count(*)::integer AS open_tasks FROM tasks
    WHERE state IN ('assigned', 'in_progress') AND deleted_at IS NULL AND id IS DISTINCT FROM $1
    GROUP BY assignee_id
  ), load AS (
    SELECT id, sum(open_tasks)::integer AS open_tasks FROM (
      SELECT id, 0 AS open_tasks, true AS performs FROM directory_users WHERE role = 'member' AND NOT is_deleted
      UNION ALL
      SELECT assignee_id, open_tasks, false FROM held
    ) AS counted
    GROUP BY id HAVING bool_or(performs)
  ), drawn AS MATERIALIZED (
    SELECT id, open_tasks,
      count(*) OVER (PARTITION BY open_tasks)::integer AS tied, count(*) OVER ()::integer AS performers
    FROM load ORDER BY open_tasks, random() LIMIT 1
  )
  SELECT drawn.id AS performer_id, drawn.open_tasks, drawn.tied, drawn.performers
  FROM drawn JOIN directory_users performer ON performer.id = drawn.id
  WHERE performer.role = 'member' AND NOT performer.is_deleted
  FOR SHARE OF performer`;

const anyPerformer = `SELECT 1 FROM directory_users WHERE role = 'member' AND NOT is_deleted LIMIT 1`;

/** The performer with the fewest open tasks, ties by chance; a task that is being moved does not count. Needs the turn. */
export async function chooseFairest(tx: Queryable, taskId: string | null): Promise<Choice | undefined> {
  for (;;) {
    const [choice] = await query<Choice>(tx, { name: 'choose_fairly', text: chooseFairly, values: [taskId] });
    if (choice !== undefined || (await query(tx, anyPerformer)).length === 0) return choice;
  }
}

/** All performers, locked as above, in the order of their ids, so that two of these cannot wait for one another. */
export async function lockPerformers(tx: Queryable): Promise<string[]> {
  const rows = await query<{ id: string }>(
    tx,
    `SELECT id FROM directory_users WHERE role = 'member' AND NOT is_deleted ORDER BY id FOR SHARE`,
  );
  return rows.map((row) => row.id);
}

/** What a person is, locked as above. */
export async function lockStanding(tx: Queryable, userId: string): Promise<Standing> {
  const [row] = await query<{ standing: Standing }>(
    tx,
    `SELECT CASE WHEN is_deleted THEN 'no performer' WHEN role IS NULL THEN 'unknown'
       WHEN role = 'member' THEN 'performer' ELSE 'no performer' END AS standing
     FROM directory_users WHERE id = $1 FOR SHARE`,
    [userId],
  );
  return row?.standing ?? 'unknown';
}
