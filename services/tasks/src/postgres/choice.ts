import { query, type Queryable } from '@taskwire/postgres';
import type { Standing } from '../app/ports.ts';
import type { Choice } from '../domain/fairness.ts';
import type { PerformerSql } from './performer-sql.ts';

/**
 * The key of the advisory lock for assignments: the bytes of "fairness" as a bigint, not used by any other lock in this
 * database.
 */
const turnLock = '7377291888803504499';

/** Waits for the assignment lock, which is held until the transaction ends. */
export async function takeTurn(tx: Queryable): Promise<void> {
  await query(tx, 'SELECT pg_advisory_xact_lock($1)', [turnLock]);
}

/** Chooses and locks performers. A performer locked FOR SHARE stays one until the transaction ends. */
export type Choosing = {
  /**
   * The performer with the fewest open tasks, ties broken at random. The task `taskId`, which is being reassigned,
   * doesn't count. Requires the assignment lock.
   */
  chooseFairest(tx: Queryable, taskId: string | null): Promise<Choice | undefined>;
  /** Locks all performers, ordered by id to avoid deadlocks between concurrent calls. */
  lockPerformers(tx: Queryable): Promise<string[]>;
  /** A user's eligibility, with the user locked. */
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
 * Counts open tasks once and combines the counts without a join. A planner without statistics turns the join into a
 * nested loop, which takes half a second for 20,000 open tasks instead of a few ms.
 * The performer is locked FOR SHARE: a concurrent role change waits for this transaction, and then sees the assignment
 * as well. The lock itself may have to wait and find that the role has just been lost; then no performer is chosen.
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
