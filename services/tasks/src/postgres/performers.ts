import { query, type Tx } from '@taskwire/postgres';
import type { Assignment } from '../app/ports.ts';
import type { Choice } from '../domain/fairness.ts';
import type { Eligibility } from '../domain/performer.ts';
import type { PerformerSql } from './performer-sql.ts';
import { isContributor } from './projects/contributors.ts';

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
  const pickInProject = pickLeastLoadedInProject(performer);
  const anyPerformer = `
    SELECT 1 FROM directory_users WHERE ${isPerformer} AND ($1::uuid IS NULL OR ${isContributor('$1::uuid', 'directory_users.id')}) LIMIT 1`;
  const allPerformers = `SELECT id FROM directory_users WHERE ${isPerformer} ORDER BY id FOR SHARE`;
  const eligibility = `
    SELECT ${performer.eligibility('directory_users')} AS eligibility FROM directory_users WHERE id = $1 FOR SHARE`;
  const lockContributor = `
    SELECT FROM project_members WHERE project_id = $1 AND user_id = $2 AND role <> 'viewer' FOR SHARE`;
  const allContributors = `
    SELECT member.project_id, member.user_id FROM project_members member JOIN directory_users performer ON performer.id = member.user_id
    WHERE member.project_id = ANY ($1::uuid[]) AND member.role <> 'viewer' AND ${performer.isPerformer('performer')}
    ORDER BY member.user_id, member.project_id FOR SHARE OF performer, member`;
  return {
    lockAssignments,
    async pickLeastLoaded(tx, { id, project_id: projectId }) {
      const statement = projectId === null ? { ...pick, values: [id] } : { ...pickInProject, values: [id, projectId] };
      for (;;) {
        const [choice] = await query<Choice>(tx, statement);
        if (choice !== undefined || (await query(tx, anyPerformer, [projectId])).length === 0) return choice;
      }
    },
    lockPerformers: async (tx) => (await query<{ id: string }>(tx, allPerformers)).map((row) => row.id),
    async lockContributors(tx, projectIds) {
      if (projectIds.length === 0) return new Map();
      const rows = await query<{ project_id: string; user_id: string }>(tx, allContributors, [projectIds]);
      const byProject = Map.groupBy(rows, ({ project_id }) => project_id);
      return new Map([...byProject].map(([id, members]) => [id, members.map(({ user_id }) => user_id)]));
    },
    async lockEligibility(tx, userId, projectId) {
      const [row] = await query<{ eligibility: Eligibility }>(tx, eligibility, [userId]);
      if (row?.eligibility !== 'eligible' || projectId === null) return row?.eligibility ?? 'unknown';
      return (await query(tx, lockContributor, [projectId, userId])).length === 1 ? 'eligible' : 'not_contributor';
    },
  };
}

/** The number of candidates that the activity log keeps for a choice: about 2 kB, and more than a person compares. */
const keptCandidates = 30;

/**
 * Counts open tasks once and combines the counts without a join. A planner without statistics turns the join into a
 * nested loop, which takes half a second for 20,000 open tasks instead of a few ms.
 * The performer is locked FOR SHARE: a concurrent role change waits for this transaction, and then sees the assignment
 * as well. The lock itself may have to wait and find that the role has just been lost; then no performer is chosen.
 */
export function pickLeastLoaded(performer: PerformerSql) {
  return { name: 'tasks.pick_least_loaded', text: leastLoaded(performer, { among: 'true', locked: '' }) };
}

/** The same among the contributors and leads of the project $2. They are locked too, so that they stay members of the project. */
export function pickLeastLoadedInProject(performer: PerformerSql) {
  const among = "id IN (SELECT user_id FROM project_members WHERE project_id = $2 AND role <> 'viewer')";
  return { name: 'tasks.pick_least_loaded_in_project', text: leastLoaded(performer, { among, locked: 'member' }) };
}

type Candidates = { among: string; locked: '' | 'member' };

function leastLoaded({ isPerformer }: PerformerSql, { among, locked }: Candidates): string {
  const join =
    "JOIN project_members member ON member.user_id = drawn.id AND member.project_id = $2 AND member.role <> 'viewer'";
  return `
  WITH assigned AS MATERIALIZED (
    SELECT assignee_id, count(*)::integer AS open_tasks FROM tasks
    WHERE state IN ('assigned', 'in_progress') AND assignee_id IS NOT NULL AND deleted_at IS NULL AND id IS DISTINCT FROM $1
    GROUP BY assignee_id
  ), load AS (
    SELECT id, sum(open_tasks)::integer AS open_tasks FROM (
      SELECT id, 0 AS open_tasks, true AS is_performer FROM directory_users WHERE ${isPerformer('directory_users')} AND ${among}
      UNION ALL
      SELECT assignee_id, open_tasks, false FROM assigned
    ) AS counted
    GROUP BY id HAVING bool_or(is_performer)
  ), drawn AS MATERIALIZED (
    SELECT id, open_tasks,
      count(*) OVER (PARTITION BY open_tasks)::integer AS tied, count(*) OVER ()::integer AS performers
    FROM load ORDER BY open_tasks, random() LIMIT 1
  )
  SELECT drawn.id AS performer_id, drawn.open_tasks, drawn.tied, drawn.performers, (
    SELECT json_agg(json_build_object('id', candidate.id, 'open_tasks', candidate.open_tasks) ORDER BY candidate.place)
    FROM (
      SELECT load.id, load.open_tasks, row_number() OVER (ORDER BY load.open_tasks, load.id <> drawn.id, load.id) AS place
      FROM load ORDER BY place LIMIT ${keptCandidates}
    ) candidate
  ) AS candidates
  FROM drawn JOIN directory_users performer ON performer.id = drawn.id ${locked && join}
  WHERE ${isPerformer('performer')}
  FOR SHARE OF performer${locked && `, ${locked}`}`;
}
