import { pageOf, query, type Keyset, type Page, type Place, type Queryable } from '@taskwire/postgres';
import type { ListedTaskJson } from '../../app/ports.ts';
import type { ManualOrder, TaskList } from '../../app/task-list.ts';
import { joinUsers, taskJson } from '../task-json.ts';
import { conditionsOf } from './conditions.ts';
import { moreColumns } from './page.ts';

/** An empty key stands for a missing one. */
const columns: Keyset['columns'] = { key: { sql: 'task.key', type: 'text' }, id: { sql: 'task.id', type: 'uuid' } };

/** Whether a task has no position in a view. */
export function isUnplaced(task: string, view: string): string {
  return `NOT EXISTS (SELECT FROM task_positions WHERE view_id = ${view} AND task_id = ${task}.id)`;
}

/**
 * A page in manual order. Like a list by due date, it has two parts: first the tasks with a position, by their keys, and then the tasks without one,
 * the latest first.
 */
export async function readInManualOrder(
  db: Queryable,
  { order, ...list }: TaskList<ManualOrder>,
  { after, limit }: Place,
): Promise<Page<ListedTaskJson>> {
  const { conditions, values } = conditionsOf(list);
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const where = conditions.join(' AND ');
  const [view, most] = [parameter(order.viewId), parameter(limit + 1)];
  const more = moreColumns(list, parameter);
  const [key = '', id = null] = after ?? [];
  const isAmongPlaced = after === undefined || key !== '';
  const placed = `
    SELECT task.*, position.key FROM task_positions position JOIN tasks task ON task.id = position.task_id
    WHERE position.view_id = ${view} AND ${where} ${key === '' ? '' : `AND position.key > ${parameter(key)}`}
    ORDER BY position.key LIMIT ${most}`;
  const others = `
    SELECT task.*, NULL AS key FROM tasks task
    WHERE ${where} AND ${isUnplaced('task', view)} ${isAmongPlaced ? '' : `AND task.id < ${parameter(id)}`}
    ORDER BY task.id DESC LIMIT ${most}`;
  const rows = await query<{ id: string; key: string; json: ListedTaskJson }>(db, {
    text: `
    WITH page AS MATERIALIZED (${isAmongPlaced ? `(${placed}) UNION ALL (${others}) LIMIT ${most}` : others})
    SELECT task.id, coalesce(task.key, '') AS key, ${taskJson('task', 'creator', 'assignee', `${more}, task.key AS position`)} AS json
    FROM page task ${joinUsers('task')} ORDER BY task.key COLLATE "C" NULLS LAST, task.id DESC`,
    values,
  });
  const { items, next } = pageOf(rows, { columns }, limit);
  return { items: items.map(({ json }) => json), next };
}
