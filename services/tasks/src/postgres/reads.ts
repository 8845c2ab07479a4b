import { query, type Queryable } from '@taskwire/postgres';
import type { Page, TaskFilter, TaskReads } from '../app/ports.ts';
import { activityJson, joinPeople, joinPerson, taskJson } from './task-json.ts';

/** The read queries on tasks. */
export function taskReads(db: Queryable): Omit<TaskReads, 'needReassignment'> {
  return {
    readTask: async (id) => {
      const [row] = await query<{ json: string; version: number; is_deleted: boolean }>(db, {
        name: 'tasks.read_task',
        text: readTask,
        values: [id],
      });
      return row && { text: row.json, etag: row.version, isDeleted: row.is_deleted };
    },

    listTasks: async (filter, position, limit) => {
      const { conditions, values } = conditionsOf(filter, position);
      const rows = await query<{ json: string; position: string }>(db, listSql(conditions, values.length + 1), [
        ...values,
        limit + 1,
      ]);
      return toPage(rows, limit);
    },

    listActivity: async (taskId, position, limit) => {
      const rows = await query<{ json: string | null; position: string }>(db, listActivity, [
        taskId,
        position ?? '0',
        limit + 1,
      ]);
      if (rows.length === 0) return undefined;
      return toPage(rows.filter(isEntry), limit);
    },
  };
}

const readTask = `
  SELECT task.version, task.deleted_at IS NOT NULL AS is_deleted, ${taskJson('task', 'creator', 'assignee')} AS json
  FROM tasks task ${joinPeople('task')}
  WHERE task.id = $1`;

/** Not prepared: one plan for all values of a filter would be wrong for some of them. */
function listSql(conditions: readonly string[], limitParameter: number): string {
  return `
    WITH page AS MATERIALIZED (
      SELECT * FROM tasks task
      WHERE ${['deleted_at IS NULL', ...conditions].join(' AND ')}
      ORDER BY id DESC LIMIT $${limitParameter}
    )
    SELECT task.id AS position, ${taskJson('task', 'creator', 'assignee')} AS json
    FROM page task ${joinPeople('task')}
    ORDER BY task.id DESC`;
}

function conditionsOf(filter: TaskFilter, position: string | undefined): { conditions: string[]; values: unknown[] } {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const conditions: string[] = [];
  const { assignee, mine } = filter;
  if (assignee === 'none') conditions.push('assignee_id IS NULL');
  else if (assignee !== undefined) conditions.push(`assignee_id = ${parameter(assignee)}`);
  if (mine !== undefined)
    conditions.push(`assignee_id IS ${mine.is ? 'NOT ' : ''}DISTINCT FROM ${parameter(mine.userId)}`);
  if (filter.state !== undefined) conditions.push(`state = ${parameter(filter.state)}`);
  if (filter.creator !== undefined) conditions.push(`creator_id = ${parameter(filter.creator)}`);
  if (position !== undefined) conditions.push(`id < ${parameter(position)}`);
  return { conditions, values };
}

/** Returns one row without an entry when the task's page is empty, and no rows when the task doesn't exist. */
const listActivity = `
  SELECT entry.seq AS position, CASE WHEN entry.seq IS NOT NULL THEN ${activityJson('entry', 'actor')} END AS json
  FROM tasks task
  LEFT JOIN LATERAL (
    SELECT * FROM task_activity WHERE task_id = task.id AND seq > $2 ORDER BY seq LIMIT $3
  ) entry ON true
  ${joinPerson('actor', 'entry.actor_id')}
  WHERE task.id = $1 AND task.deleted_at IS NULL
  ORDER BY entry.seq`;

function isEntry<R extends { json: string | null }>(row: R): row is R & { json: string } {
  return row.json !== null;
}

/** The query fetches one row more than the page holds, which shows whether another page follows. */
function toPage(rows: readonly { json: string; position: string }[], limit: number): Page<string> {
  const shown = rows.slice(0, limit);
  return {
    items: shown.map((row) => row.json),
    next: rows.length > limit ? (shown.at(-1)?.position ?? null) : null,
  };
}
