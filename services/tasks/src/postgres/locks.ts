import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { OpenTask } from '../app/ports.ts';
import type { Task } from '../domain/task.ts';

const taskColumns = `
  task.id, task.title, task.description, task.state, task.priority, ${isoMicros('task.due_at')} AS due_at, task.labels,
  task.creator_id, task.assignee_id, task.awaiting_performer, task.version`;

/** The assignee cannot carry out the task any more. */
const isStranded = "(assignee.is_deleted OR assignee.role <> 'member')";

const isOpen = `task.state IN ('assigned', 'in_progress') AND task.deleted_at IS NULL`;

/** The task, locked until the end of the transaction; undefined for one that is deleted or never was. */
export async function lockTask(tx: Queryable, id: string): Promise<Task | undefined> {
  const text = `SELECT ${taskColumns} FROM tasks task WHERE task.id = $1 AND task.deleted_at IS NULL FOR UPDATE`;
  const [task] = await query<Task>(tx, { name: 'lock task', text, values: [id] });
  return task;
}

/** All open tasks, in the order of their ids, so that two of these cannot wait for one another. */
export async function lockOpen(tx: Queryable): Promise<OpenTask[]> {
  return await query<OpenTask>(
    tx,
    `SELECT task.id, task.state, task.assignee_id FROM tasks task WHERE ${isOpen} ORDER BY task.id FOR UPDATE`,
  );
}

/** Open tasks whose assignee is deleted or has another role now. */
export async function lockStranded(tx: Queryable, limit: number): Promise<(Task & { assignee_is_deleted: boolean })[]> {
  return await query<Task & { assignee_is_deleted: boolean }>(
    tx,
    `SELECT ${taskColumns}, assignee.is_deleted AS assignee_is_deleted
     FROM tasks task JOIN directory_users assignee ON assignee.id = task.assignee_id
     WHERE ${isOpen} AND ${isStranded}
     ORDER BY task.id LIMIT $1 FOR UPDATE OF task SKIP LOCKED`,
    [limit],
  );
}

/** Drafts that wait for a performer. */
export async function lockAwaiting(tx: Queryable, limit: number): Promise<Task[]> {
  return await query<Task>(
    tx,
    `SELECT ${taskColumns} FROM tasks task WHERE task.awaiting_performer AND task.deleted_at IS NULL
     ORDER BY task.id LIMIT $1 FOR UPDATE SKIP LOCKED`,
    [limit],
  );
}

/** Whether one of the two would find something that can be helped. */
export async function needSettling(db: Queryable): Promise<boolean> {
  const [row] = await query<{ needed: boolean }>(db, { name: 'need settling', text: needed });
  return row?.needed === true;
}

const needed = `
  SELECT EXISTS (
      SELECT FROM tasks task JOIN directory_users assignee ON assignee.id = task.assignee_id
      WHERE ${isOpen} AND ${isStranded}
    ) OR (
      EXISTS (SELECT FROM tasks WHERE awaiting_performer AND deleted_at IS NULL)
      AND EXISTS (SELECT FROM directory_users WHERE role = 'member' AND NOT is_deleted)
    ) AS needed`;

export const countUnsettled = `
  SELECT
    (SELECT count(*)::integer FROM tasks task JOIN directory_users assignee ON assignee.id = task.assignee_id
     WHERE ${isOpen} AND ${isStranded}) AS stranded,
    (SELECT count(*)::integer FROM tasks WHERE awaiting_performer AND deleted_at IS NULL) AS awaiting`;
