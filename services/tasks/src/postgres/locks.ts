import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { OpenTask, StrandedTask } from '../app/ports.ts';
import type { Task } from '../domain/task.ts';
import type { PerformerSql } from './performer-sql.ts';

const taskColumns = `
  task.id, task.title, task.description, task.state, task.priority, ${isoMicros('task.due_at')} AS due_at, task.labels,
  task.creator_id, task.assignee_id, task.awaiting_performer, task.version`;

const isOpen = `task.state IN ('assigned', 'in_progress') AND task.deleted_at IS NULL`;

/** Locks a task until the transaction ends. Returns undefined when it is deleted or never existed. */
export async function lockTask(tx: Queryable, id: string): Promise<Task | undefined> {
  const text = `SELECT ${taskColumns} FROM tasks task WHERE task.id = $1 AND task.deleted_at IS NULL FOR UPDATE`;
  const [task] = await query<Task>(tx, { name: 'lock task', text, values: [id] });
  return task;
}

/** Locks all open tasks, ordered by id to avoid deadlocks between concurrent calls. */
export async function lockOpen(tx: Queryable): Promise<OpenTask[]> {
  return await query<OpenTask>(
    tx,
    `SELECT task.id, task.state, task.assignee_id FROM tasks task WHERE ${isOpen} ORDER BY task.id FOR UPDATE`,
  );
}

/** Locks drafts that await a performer, skipping those already locked. */
export async function lockAwaiting(tx: Queryable, limit: number): Promise<Task[]> {
  return await query<Task>(
    tx,
    `SELECT ${taskColumns} FROM tasks task WHERE task.awaiting_performer AND task.deleted_at IS NULL
     ORDER BY task.id LIMIT $1 FOR UPDATE SKIP LOCKED`,
    [limit],
  );
}

/** Finds tasks that need to be reassigned. */
export type Settling = {
  /** Locks open tasks whose assignee is no longer a performer, skipping those already locked. */
  lockStranded(tx: Queryable, limit: number): Promise<StrandedTask[]>;
  /** Whether stranded tasks exist, or drafts that await a performer while one exists. */
  needSettling(db: Queryable): Promise<boolean>;
  countUnsettled(db: Queryable): Promise<{ stranded: number; awaiting: number }>;
};

export function settling({ performs, standing }: PerformerSql): Settling {
  const stranded = `
    FROM tasks task JOIN directory_users assignee ON assignee.id = task.assignee_id
    WHERE ${isOpen} AND NOT ${performs('assignee')}`;
  const awaiting = 'FROM tasks WHERE awaiting_performer AND deleted_at IS NULL';
  const lockSome = `
    SELECT ${taskColumns}, assignee.is_deleted AS assignee_is_deleted, ${standing('assignee')} AS assignee_standing
    ${stranded} ORDER BY task.id LIMIT $1 FOR UPDATE OF task SKIP LOCKED`;
  const needed = `
    SELECT EXISTS (SELECT ${stranded}) OR (
      EXISTS (SELECT ${awaiting})
      AND EXISTS (SELECT FROM directory_users WHERE ${performs('directory_users')})
    ) AS needed`;
  const counted = `
    SELECT (SELECT count(*)::integer ${stranded}) AS stranded, (SELECT count(*)::integer ${awaiting}) AS awaiting`;
  return {
    lockStranded: async (tx, limit) => await query<StrandedTask>(tx, lockSome, [limit]),
    async needSettling(db) {
      const [row] = await query<{ needed: boolean }>(db, { name: 'need settling', text: needed });
      return row?.needed === true;
    },
    async countUnsettled(db) {
      const [counts] = await query<{ stranded: number; awaiting: number }>(db, counted);
      return counts ?? { stranded: 0, awaiting: 0 };
    },
  };
}
