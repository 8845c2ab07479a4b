import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { OpenTask, OrphanedTask, TaskLocks } from '../app/ports.ts';
import type { Task } from '../domain/task.ts';
import type { PerformerSql } from './performer-sql.ts';
import { lockAssignments } from './performers.ts';
import { isReadableTo } from './projects/readable.ts';

const taskColumns = `
  task.id, task.title, task.description, task.state, task.priority, ${isoMicros('task.due_at')} AS due_at, task.due_time_zone,
  task.due_all_day, task.remind_before, task.labels,
  task.creator_id, task.assignee_id, task.awaiting_performer, task.kind, task.job_id, task.project_id, task.version`;

const isOpen = `task.state IN ('assigned', 'in_progress') AND task.deleted_at IS NULL`;

export const lockTask = {
  name: 'tasks.lock_task',
  text: `SELECT ${taskColumns} FROM tasks task WHERE task.id = $1 AND task.deleted_at IS NULL AND ${isReadableTo('task', '$2')} FOR UPDATE`,
};

/**
 * For a change of the task and its job: the job is locked first, as claims and settlements do. The subquery runs before a row of the task is locked, and
 * PostgreSQL then reads the row again if it has changed in the meantime.
 */
export const lockTaskAndJob = {
  name: 'tasks.lock_task_and_job',
  text: `
  WITH locked AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = (SELECT job_id FROM tasks WHERE id = $1) FOR UPDATE
  )
  SELECT ${taskColumns} FROM tasks task
  WHERE task.id = $1 AND task.deleted_at IS NULL AND ${isReadableTo('task', '$2')} AND (SELECT count(*) FROM locked) >= 0 FOR UPDATE`,
};

export const lockTaskOrDeleted = {
  name: 'tasks.lock_task_or_deleted',
  text: `SELECT ${taskColumns}, task.deleted_at IS NOT NULL AS is_deleted FROM tasks task WHERE task.id = $1 AND ${isReadableTo('task', '$2')} FOR UPDATE`,
};

/** The entries of a change have the time of the task's version, and a deletion is the last change of a deleted task. */
export const readAssigneeBeforeDeletion = {
  name: 'tasks.read_assignee_before_deletion',
  text: `
  SELECT entry.from_value #>> '{}' AS id FROM tasks task JOIN task_activity entry ON entry.task_id = task.id
  WHERE task.id = $1 AND entry.action = 'unassigned' AND entry.created_at = task.updated_at`,
};

const lockJobsOfTasks = `
  SELECT id FROM jobs WHERE id = ANY (ARRAY(SELECT job_id FROM tasks WHERE id = ANY ($1::uuid[]))) ORDER BY id FOR UPDATE`;
const lockTasks = 'SELECT id FROM tasks WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE';

const lockOpenTasks = `
  SELECT task.id, task.state, task.assignee_id FROM tasks task WHERE ${isOpen} AND task.assignee_id IS NOT NULL ORDER BY task.id FOR UPDATE`;

const lockAwaitingTasks = `
  SELECT ${taskColumns} FROM tasks task WHERE task.awaiting_performer AND task.deleted_at IS NULL
  ORDER BY task.id LIMIT $1 FOR UPDATE SKIP LOCKED`;

/** Locks tasks until the transaction ends. */
export function taskLocks(performer: PerformerSql): TaskLocks {
  const lockOrphanedTasks = `
    SELECT ${taskColumns}, assignee.is_deleted AS assignee_is_deleted,
      ${performer.eligibility('assignee')} AS assignee_eligibility
    ${fromOrphaned(performer)} ORDER BY task.id LIMIT $1 FOR UPDATE OF task SKIP LOCKED`;
  return {
    lockTask: async (tx, id, reader) => (await query<Task>(tx, { ...lockTask, values: [id, reader] }))[0],
    lockTaskAndJob: async (tx, id, reader) => (await query<Task>(tx, { ...lockTaskAndJob, values: [id, reader] }))[0],
    lockTaskOrDeleted: async (tx, id, reader) =>
      (await query<Task & { is_deleted: boolean }>(tx, { ...lockTaskOrDeleted, values: [id, reader] }))[0],
    assigneeBeforeDeletion: async (tx, id) =>
      (await query<{ id: string }>(tx, { ...readAssigneeBeforeDeletion, values: [id] }))[0]?.id,
    async lockForOperations(tx, { ids, assigns }) {
      if (assigns) await lockAssignments(tx);
      await query(tx, lockJobsOfTasks, [ids]);
      await query(tx, lockTasks, [ids]);
    },
    lockOpenTasks: async (tx) => await query<OpenTask>(tx, lockOpenTasks),
    lockOrphanedTasks: async (tx, limit) => await query<OrphanedTask>(tx, lockOrphanedTasks, [limit]),
    lockAwaitingTasks: async (tx, limit) => await query<Task>(tx, lockAwaitingTasks, [limit]),
  };
}

/** Tasks that await reassignment. `orphaned`: open tasks whose assignee is not a performer. `awaiting`: drafts that await one. */
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
    SELECT EXISTS (SELECT ${fromOrphaned(performer)}) OR (
      EXISTS (SELECT ${awaiting})
      AND EXISTS (SELECT FROM directory_users WHERE ${performer.isPerformer('directory_users')})
    ) AS needed`;
  return { name: 'tasks.need_reassignment', text };
}

function fromOrphaned({ isPerformer }: PerformerSql): string {
  return `
    FROM tasks task JOIN directory_users assignee ON assignee.id = task.assignee_id
    WHERE ${isOpen} AND NOT ${isPerformer('assignee')}`;
}
