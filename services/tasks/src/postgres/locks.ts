import { isoMicros, query, type Queryable, type Tx } from '@taskwire/postgres';
import type { DeletableTask, OpenTask, OrphanedTask, TaskLocks } from '../app/ports.ts';
import type { Reader } from '../domain/projects/reader.ts';
import type { ActedTask, Task } from '../domain/task.ts';
import type { PerformerSql } from './performer-sql.ts';
import { lockGraph } from './links/graph-lock.ts';
import { lockAssignments } from './performers.ts';
import { hasLeftProject, hasPerformer } from './projects/contributors.ts';
import { isReadableTo } from './projects/readable.ts';

const taskColumns = `
  task.id, task.title, task.description, task.state, task.priority, ${isoMicros('task.due_at')} AS due_at, task.due_time_zone,
  task.due_all_day, task.remind_before, task.labels,
  task.creator_id, task.assignee_id, task.awaiting_performer, task.kind, task.job_id, task.project_id, task.parent_id, task.is_linked,
  task.version`;

/** The role of the user $2 in the project of a task, and whether that project is archived. $2 is null for a user who needs no role in a project. */
const actedColumns = `
  CASE WHEN task.project_id IS NOT NULL THEN (SELECT role FROM project_members WHERE project_id = task.project_id AND user_id = $2::uuid) END AS project_role,
  task.project_id IS NOT NULL AND EXISTS (SELECT FROM projects WHERE id = task.project_id AND archived_at IS NOT NULL) AS project_is_archived`;

/** The columns of a task on which the user $2 acts. */
export const actedTaskColumns = `${taskColumns}, ${actedColumns}`;

const isOpen = `task.state IN ('assigned', 'in_progress') AND task.deleted_at IS NULL`;

export const lockTask = {
  name: 'tasks.lock_task',
  text: `SELECT ${actedTaskColumns} FROM tasks task WHERE task.id = $1 AND task.deleted_at IS NULL AND ${isReadableTo('task', '$2')} FOR UPDATE`,
};

/**
 * For tasks that end, $1. Their jobs are locked first, as claims and settlements do, and then the tasks in the order of their ids, together with those
 * that they block. The tasks that end are those that the reader may read. The subqueries run before a row of a task is locked, and PostgreSQL then reads the row again if it has changed in the meantime.
 */
export const lockTasksToEnd = {
  name: 'tasks.lock_tasks_to_end',
  text: `
  WITH locked_jobs AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = ANY (ARRAY(SELECT job_id FROM tasks WHERE id = ANY ($1::uuid[]))) ORDER BY id FOR UPDATE
  )
  SELECT ${actedTaskColumns} FROM tasks task
  WHERE task.id = ANY (ARRAY(SELECT unnest($1::uuid[]) UNION SELECT task_id FROM task_blockers WHERE blocker_id = ANY ($1::uuid[])))
    AND task.deleted_at IS NULL AND (task.id <> ALL ($1::uuid[]) OR ${isReadableTo('task', '$2')}) AND (SELECT count(*) FROM locked_jobs) >= 0
  ORDER BY task.id FOR UPDATE`,
};

const deletableColumns = `${actedTaskColumns}, task.deleted_at IS NOT NULL AS is_deleted, task.deletion_id, EXISTS (
    SELECT FROM tasks parent WHERE parent.id = task.parent_id AND parent.deleted_at IS NOT NULL
  ) AS is_below_deleted, EXISTS (
    SELECT FROM tasks parent WHERE parent.id = task.parent_id AND parent.project_id IS DISTINCT FROM task.project_id
  ) AS is_left_behind`;

export const lockTaskOrDeleted = {
  name: 'tasks.lock_task_or_deleted',
  text: `SELECT ${deletableColumns} FROM tasks task WHERE task.id = $1 AND ${isReadableTo('task', '$2')} FOR UPDATE`,
};

/** A deletion takes a subtree, so its tasks are found below its root. Release 0.3.0 deletes without an id of the deletion. */
const lockDeletion = `
  WITH RECURSIVE deletion AS (
    SELECT root.id FROM tasks named JOIN tasks root ON root.id = coalesce(named.deletion_id, named.id) WHERE named.id = $1
    UNION ALL SELECT child.id FROM deletion JOIN tasks child ON child.parent_id = deletion.id
    WHERE child.deletion_id = (SELECT deletion_id FROM tasks WHERE id = $1)
  )
  SELECT ${deletableColumns}, task.id IN (SELECT id FROM deletion) AS "isOfDeletion" FROM tasks task
  WHERE task.id IN (SELECT id FROM deletion UNION SELECT root.parent_id FROM deletion JOIN tasks root USING (id)) AND ${isReadableTo('task', '$2')} ORDER BY task.id FOR UPDATE`;

/** The entries of a change have the time of the task's version, and a deletion is the last change of a deleted task. */
export const readAssigneesBeforeDeletion = {
  name: 'tasks.read_assignees_before_deletion',
  text: `
  SELECT task.id, entry.from_value #>> '{}' AS "assigneeId" FROM tasks task JOIN task_activity entry ON entry.task_id = task.id
  WHERE task.id = ANY ($1::uuid[]) AND entry.action = 'unassigned' AND entry.created_at = task.updated_at`,
};

/** Locks tasks that end, and returns those of them that exist and that the reader may read. */
export async function lockToEnd(tx: Tx, ids: readonly string[], reader: Reader): Promise<ActedTask[]> {
  const locked = await query<ActedTask>(tx, { ...lockTasksToEnd, values: [ids, reader] });
  return locked.filter(({ id }) => ids.includes(id));
}

const lockOpenTasks = `
  SELECT task.id, task.state, task.assignee_id, task.project_id FROM tasks task WHERE ${isOpen} AND task.assignee_id IS NOT NULL ORDER BY task.id FOR UPDATE`;

const lockAwaitingTasks = (performer: PerformerSql) => `
  SELECT ${taskColumns} ${fromAssignable(performer)}
  ORDER BY task.id LIMIT $1 FOR UPDATE SKIP LOCKED`;

/** Locks tasks until the transaction ends. */
export function taskLocks(performer: PerformerSql): TaskLocks {
  const lockOrphanedTasks = `
    SELECT ${taskColumns}, assignee.is_deleted AS assignee_is_deleted,
      ${performer.eligibility('assignee')} AS assignee_eligibility
    ${fromOrphaned(performer)} ORDER BY task.id LIMIT $1 FOR UPDATE OF task SKIP LOCKED`;
  const lockAwaiting = lockAwaitingTasks(performer);
  return {
    lockTask: async (tx, id, reader) => (await query<ActedTask>(tx, { ...lockTask, values: [id, reader] }))[0],
    lockTaskToEnd: async (tx, id, reader) => (await lockToEnd(tx, [id], reader))[0],
    lockTaskOrDeleted: async (tx, id, reader) =>
      (await query<DeletableTask>(tx, { ...lockTaskOrDeleted, values: [id, reader] }))[0],
    async lockDeletion(tx, id, reader) {
      const locked = await query<DeletableTask & { isOfDeletion: boolean }>(tx, lockDeletion, [id, reader]);
      const deletion = locked.filter(({ isOfDeletion }) => isOfDeletion);
      return {
        deletion: new Map(deletion.map((task) => [task.id, task])),
        parent: locked.find(({ isOfDeletion }) => !isOfDeletion),
      };
    },
    async assigneesBeforeDeletion(tx, taskIds) {
      const statement = { ...readAssigneesBeforeDeletion, values: [taskIds] };
      const rows = await query<{ id: string; assigneeId: string }>(tx, statement);
      return new Map(rows.map(({ id, assigneeId }) => [id, assigneeId]));
    },
    async lockForOperations(tx, { ids, assigns, links }) {
      if (assigns) await lockAssignments(tx);
      if (links) await lockGraph(tx);
      await query(tx, { ...lockTasksToEnd, values: [ids, null] });
    },
    lockOpenTasks: async (tx) => await query<OpenTask>(tx, lockOpenTasks),
    lockOrphanedTasks: async (tx, limit) => await query<OrphanedTask>(tx, lockOrphanedTasks, [limit]),
    lockAwaitingTasks: async (tx, limit) => await query<Task>(tx, lockAwaiting, [limit]),
  };
}

/** Tasks that await reassignment. `orphaned`: open tasks whose assignee is not a performer, or not a contributor of their project. `awaiting`: drafts that await one. */
export type ReassignmentCounts = { orphaned: number; awaiting: number };

/** Finds tasks to reassign, without locking them. */
export function reassignmentQueries(performer: PerformerSql) {
  const orphaned = fromOrphaned(performer);
  const needed = needReassignment(performer);
  const counted = `
    SELECT (SELECT count(*)::integer ${orphaned}) AS orphaned, (SELECT count(*)::integer ${awaiting}) AS awaiting`;
  return {
    async needReassignment(db: Queryable): Promise<boolean> {
      const [row] = await query<{ needed: boolean }>(db, needed);
      return row?.needed === true;
    },
    async countAwaitingReassignment(db: Queryable): Promise<ReassignmentCounts> {
      const [counts] = await query<ReassignmentCounts>(db, counted);
      return counts ?? { orphaned: 0, awaiting: 0 };
    },
  };
}

const awaiting = 'FROM tasks WHERE awaiting_performer AND deleted_at IS NULL';

export function needReassignment(performer: PerformerSql) {
  const text = `
    SELECT EXISTS (SELECT ${fromOpen} NOT ${performer.isPerformer('assignee')})
      OR EXISTS (SELECT FROM tasks task WHERE ${isOpen} AND ${hasLeftProject('task')})
      OR EXISTS (SELECT ${fromAssignable(performer)}) AS needed`;
  return { name: 'tasks.need_reassignment', text };
}

/** Continues with a condition on the task and its assignee. */
const fromOpen = `
    FROM tasks task JOIN directory_users assignee ON assignee.id = task.assignee_id WHERE ${isOpen} AND`;

function fromOrphaned({ isPerformer }: PerformerSql): string {
  return `${fromOpen} (NOT ${isPerformer('assignee')} OR ${hasLeftProject('task')})`;
}

function fromAssignable(performer: PerformerSql): string {
  return `FROM tasks task WHERE task.awaiting_performer AND task.deleted_at IS NULL AND ${hasPerformer('task', performer)}`;
}
