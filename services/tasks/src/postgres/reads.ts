import { hash } from 'node:crypto';
import { keyset, pageOf, query, type Keyset, type Page, type Place, type Queryable } from '@taskwire/postgres';
import type { ActivityJson, TaskFilter, TaskJson, TaskReads } from '../app/ports.ts';
import { activityJson, joinUsers, joinUser, taskJson } from './task-json.ts';

/** The read queries on tasks. */
export function taskReads(db: Queryable): Omit<TaskReads, 'needReassignment'> {
  return {
    readTask: async (id) => {
      const [row] = await query<{ json: TaskJson; version: number; is_deleted: boolean }>(db, {
        ...readTask,
        values: [id],
      });
      return row && { text: row.json, etag: row.version, isDeleted: row.is_deleted };
    },

    listTasks: async (filter, place) =>
      toPage(await query<Item<TaskJson>>(db, listTasks(filter, place)), latestFirst, place.limit),

    listActivity: async (taskId, { after, limit }) => {
      const values = [taskId, after?.[0] ?? '0', limit + 1];
      const rows = await query<Item<ActivityJson> | { json: null }>(db, listActivity, values);
      return rows.length === 0 ? undefined : toPage(rows.filter(isEntry), oldestFirst, limit);
    },
  };
}

type Item<J> = { json: J; id: string };

const latestFirst: Keyset = { direction: 'DESC', columns: { id: { sql: 'task.id', type: 'uuid' } } };
const oldestFirst: Keyset = { direction: 'ASC', columns: { id: { sql: 'entry.seq', type: 'bigint' } } };

function toPage<J>(rows: readonly Item<J>[], order: Keyset, limit: number): Page<J> {
  const { items, next } = pageOf(rows, order, limit);
  return { items: items.map(({ json }) => json), next };
}

export const readTask = {
  name: 'tasks.read_task',
  text: `
  SELECT task.version, task.deleted_at IS NOT NULL AS is_deleted, ${taskJson('task', 'creator', 'assignee')} AS json
  FROM tasks task ${joinUsers('task')}
  WHERE task.id = $1`,
};

/**
 * The statement of a list, prepared for each shape of filter (216 at most). PostgreSQL plans the first calls for their own values, and then keeps one plan
 * for all values only if it expects that to cost no more. Unprepared, planning is most of a list: 1.2 to 7 times the CPU time (ADR 35).
 */
export function listTasks(filter: TaskFilter, place: Place) {
  const { conditions, values } = conditionsOf(filter);
  const page = keyset(latestFirst, place, values.length + 1);
  const text = listSql([...conditions, page.condition], page.orderAndLimit);
  return { name: `tasks.list_${hash('sha1', text).slice(0, 8)}`, text, values: [...values, ...page.values] };
}

function listSql(conditions: readonly string[], orderAndLimit: string): string {
  return `
    WITH page AS MATERIALIZED (
      SELECT * FROM tasks task
      WHERE ${['deleted_at IS NULL', ...conditions].join(' AND ')}
      ${orderAndLimit}
    )
    SELECT task.id, ${taskJson('task', 'creator', 'assignee')} AS json
    FROM page task ${joinUsers('task')}
    ORDER BY task.id DESC`;
}

function conditionsOf(filter: TaskFilter): { conditions: string[]; values: unknown[] } {
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
  // literal, so that a prepared statement can use the index of the tasks of jobs
  if (filter.kind !== undefined) conditions.push(filter.kind === 'job' ? "kind = 'job'" : "kind = 'task'");
  return { conditions, values };
}

/** Returns one row without an entry when the task's page is empty, and no rows when the task doesn't exist. */
const listActivity = `
  SELECT entry.seq AS id, CASE WHEN entry.seq IS NOT NULL THEN ${activityJson('entry', 'actor')} END AS json
  FROM tasks task
  LEFT JOIN LATERAL (
    SELECT * FROM task_activity WHERE task_id = task.id AND seq > $2 ORDER BY seq LIMIT $3
  ) entry ON true
  ${joinUser('actor', 'entry.actor_id')}
  WHERE task.id = $1 AND task.deleted_at IS NULL
  ORDER BY entry.seq`;

function isEntry(row: Item<ActivityJson> | { json: null }): row is Item<ActivityJson> {
  return row.json !== null;
}
