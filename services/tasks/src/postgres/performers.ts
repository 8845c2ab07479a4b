import { query, type Tx } from '@taskwire/postgres';
import type { Assignment } from '../app/ports.ts';
import type { Choice } from '../domain/fairness.ts';
import type { Eligibility } from '../domain/performer.ts';
import type { PerformerSql } from './performer-sql.ts';

/**
 * The key of the advisory lock for assignments: the bytes of "fairness" as a bigint, not used by any other lock in this
 * database.
 */
const assignmentLock = '7377291888803504499';

export async function lockAssignments(tx: Tx): Promise<void> {
  await query(tx, 'SELECT pg_advisory_xact_lock($1)', [assignmentLock]);
}

export function assignment(performer: PerformerSql): Assignment {
  const isPerformer = performer.isPerformer('directory_users');
  const pick = pickLeastLoaded(performer);
  const anyPerformer = `SELECT 1 FROM directory_users WHERE ${isPerformer} LIMIT 1`;
  const allPerformers = `SELECT id FROM directory_users WHERE ${isPerformer} ORDER BY id FOR SHARE`;
  const eligibility = `
    SELECT ${performer.eligibility('directory_users')} AS eligibility FROM directory_users WHERE id = $1 FOR SHARE`;
  return {
    lockAssignments,
    async pickLeastLoaded(tx, taskId) {
      for (;;) {
        const [choice] = await query<Choice>(tx, { ...pick, values: [taskId] });
        if (choice !== undefined || (await query(tx, anyPerformer)).length === 0) return choice;
      }
    },
    lockPerformers: async (tx) => (await query<{ id: string }>(tx, allPerformers)).map((row) => row.id),
    async lockEligibility(tx, userId) {
      const [row] = await query<{ eligibility: Eligibility }>(tx, eligibility, [userId]);
      return row?.eligibility ?? 'unknown';
    },
  };
}

/**
 * Counts open tasks once and combines the counts without a join. A planner without statistics turns the join into a
 * nested loop, which takes half a second for 20,000 open tasks instead of a few ms.
 * The performer is locked FOR SHARE: a concurrent role change waits for this transaction, and then sees the assignment
 * as well. The lock itself may have to wait and find that the role has just been lost; then no performer is chosen.
 */
export function pickLeastLoaded({ isPerformer }: PerformerSql) {
  const text = `
  WITH assigned AS MATERIALIZED (
    SELECT assignee_id, count(*)::integer AS open_tasks FROM tasks
    WHERE state IN ('assigned', 'in_progress') AND assignee_id IS NOT NULL AND deleted_at IS NULL AND id IS DISTINCT FROM $1
    GROUP BY assignee_id
  ), load AS (
    SELECT id, sum(open_tasks)::integer AS open_tasks FROM (
      SELECT id, 0 AS open_tasks, true AS is_performer FROM directory_users WHERE ${isPerformer('directory_users')}
      UNION ALL
      SELECT assignee_id, open_tasks, false FROM assigned
    ) AS counted
    GROUP BY id HAVING bool_or(is_performer)
  ), drawn AS MATERIALIZED (
    SELECT id, open_tasks,
      count(*) OVER (PARTITION BY open_tasks)::integer AS tied, count(*) OVER ()::integer AS performers
    FROM load ORDER BY open_tasks, random() LIMIT 1
  )
  SELECT drawn.id AS performer_id, drawn.open_tasks, drawn.tied, drawn.performers
  FROM drawn JOIN directory_users performer ON performer.id = drawn.id
  WHERE ${isPerformer('performer')}
  FOR SHARE OF performer`;
  return { name: 'tasks.pick_least_loaded', text };
}
