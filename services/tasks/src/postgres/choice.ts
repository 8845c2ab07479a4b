import { query, type Queryable } from '@taskwire/postgres';
import type { Standing } from '../app/ports.ts';
import type { Choice } from '../domain/fairness.ts';
import type { PerformerSql } from './performer-sql.ts';

/** The advisory lock of fair choices (the bytes of "fairness" as a bigint): any number that nothing else in this database uses. */
const turnLock = '7377291888803504499';

/** Waits for the turn; it ends with the transaction. */
export async function takeTurn(tx: Queryable): Promise<void> {
  await query(tx, 'SELECT pg_advisory_xact_lock($1)', [turnLock]);
}

/** How performers are chosen and locked. A performer who is locked FOR SHARE stays one until the end of the transaction. */
export type Choosing = {
  /** The performer with the fewest open tasks, ties by chance; a task that is being moved does not count. Needs the turn. */
  chooseFairest(tx: Queryable, taskId: string | null): Promise<Choice | undefined>;
  /** All performers, locked, in the order of their ids, so that two of these cannot wait for one another. */
  lockPerformers(tx: Queryable): Promise<string[]>;
  /** What a person is, locked. */
  lockStanding(tx: Queryable, userId: string): Promise<Standing>;
};

export function choosing(performer: PerformerSql): Choosing {
  const chooseFairly = fairChoice(performer);
  const anyPerformer = `SELECT 1 FROM directory_users WHERE ${performer.performs('directory_users')} LIMIT 1`;
  const allPerformers = `SELECT id FROM directory_users WHERE ${performer.performs('directory_users')} ORDER BY id FOR SHARE`;
  const standing = `SELECT ${performer.standing('directory_users')} AS standing FROM directory_users WHERE id = $1 FOR SHARE`;
  return {
    async chooseFairest(tx, taskId) {
      for (;;) {
        const [choice] = await query<Choice>(tx, { name: 'choose_fairly', text: chooseFairly, values: [taskId] });
        if (choice !== undefined || (await query(tx, anyPerformer)).length === 0) return choice;
      }
    },
    lockPerformers: async (tx) => (await query<{ id: string }>(tx, allPerformers)).map((row) => row.id),
    async lockStanding(tx, userId) {
      const [row] = await query<{ standing: Standing }>(tx, standing, [userId]);
      return row?.standing ?? 'unknown';
    },
  };
}

/**
 * Counted once and put together without a join, which a planner without statistics nests: half a second for 20,000 open tasks instead of
 * some ms.
 * The performer is locked FOR SHARE: a change of the role waits for this transaction, and is then seen together with what it assigned.
 * That lock may wait in its turn, and find that the role has just been lost; then nothing is chosen.
 */
function fairChoice({ performs }: PerformerSql): string {
  return `
  WITH held AS MATERIALIZED (
    SELECT assignee_id, count(*)::integer AS open_tasks FROM tasks
    WHERE state IN ('assigned', 'in_progress') AND deleted_at IS NULL AND id IS DISTINCT FROM $1
    GROUP BY assignee_id
  ), load AS (
    SELECT id, sum(open_tasks)::integer AS open_tasks FROM (
      SELECT id, 0 AS open_tasks, true AS performs FROM directory_users WHERE ${performs('directory_users')}
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
  WHERE ${performs('performer')}
  FOR SHARE OF performer`;
}
