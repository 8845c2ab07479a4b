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
 * The performer is locked FOR SHARE: a change of the role waits for this transaction, and is then seen together with what it assigned.
 * That lock may wait in its turn, and find that the role has just been lost; then nothing is chosen.
 */
const chooseFairly = `
  WITH load AS (
    SELECT performer.id, count(task.id)::integer AS open_tasks
    FROM directory_users performer
    LEFT JOIN tasks task ON task.assignee_id = performer.id AND task.id IS DISTINCT FROM $1
      AND task.state IN ('assigned', 'in_progress') AND task.deleted_at IS NULL
    WHERE performer.role = 'member' AND NOT performer.is_deleted
    GROUP BY performer.id
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
  const [row] = await query<{ performs: boolean }>(
    tx,
    `SELECT role = 'member' AND NOT is_deleted AS performs FROM directory_users WHERE id = $1 FOR SHARE`,
    [userId],
  );
  if (row === undefined) return 'unknown';
  return row.performs ? 'performer' : 'no performer';
}
