import { isoMicros, keyset, type Keyset, type Place } from '@taskwire/postgres';
import type { FieldOrder, TaskList } from '../../app/task-list.ts';
import { statsColumn } from '../links/stats.ts';
import { foundInComment } from '../search/matches.ts';
import { textQuerySql } from '../search/text-query-sql.ts';
import { joinUsers, taskJson } from '../task-json.ts';
import { conditionsOf } from './conditions.ts';
import { priorityRank } from './priority.ts';

const id = { sql: 'task.id', type: 'uuid' } as const;

/** The columns of each order. Ids are in the order of creation. */
const columnsOf: Readonly<Record<FieldOrder['by'], Keyset['columns']>> = {
  created_at: { id },
  updated_at: { at: { sql: 'task.updated_at', type: 'timestamptz' }, id },
  due_at: { at: { sql: 'task.due_at', type: 'timestamptz' }, id },
  // compared with a bigint, which the index of integers supports
  priority: { rank: { sql: priorityRank('task'), type: 'bigint' }, id },
};

/** The position of a row, besides its id. An empty text stands for a missing due date. */
const positionOf: Readonly<Record<FieldOrder['by'], string>> = {
  created_at: '',
  updated_at: `${isoMicros('task.updated_at')} AS at, `,
  due_at: `coalesce(${isoMicros('task.due_at')}, '') AS at, `,
  priority: `${priorityRank('task')} AS rank, `,
};

const deletedAt = `, ${isoMicros('task.deleted_at')} AS deleted_at`;

/** The columns that only some lists have. */
export function moreColumns(
  { filter: { isDeleted, text }, withStats }: Omit<TaskList, 'order'>,
  parameter: (value: unknown) => string,
): string {
  const found = text === undefined ? '' : foundInComment('task.id', textQuerySql(text, parameter));
  return (isDeleted ? deletedAt : '') + (withStats ? statsColumn : '') + found;
}

/** The order of a page. */
export function keysetOf({ by, direction }: FieldOrder): Keyset {
  return { direction, columns: columnsOf[by] };
}

/** The statement of a page of a list, with its values. */
export function pageStatement(
  { order, ...list }: TaskList<FieldOrder>,
  place: Place,
): { text: string; values: unknown[] } {
  const { conditions, values } = conditionsOf(list);
  const parts = partsOf(order, place).map(({ only, order: keys, place: at }) => {
    const page = keyset(keys, at, values.length + 1);
    values.push(...page.values);
    const where = [...conditions, ...only, page.condition].join(' AND ');
    return `SELECT task.* FROM tasks task WHERE ${where} ${page.orderAndLimit}`;
  });
  const more = moreColumns(list, (value) => `$${values.push(value)}`);
  const limit = `$${values.push(place.limit + 1)}`;
  const rows = parts.length === 1 ? parts.join('') : `(${parts.join(') UNION ALL (')}) LIMIT ${limit}`;
  if (parts.length === 1) values.pop();
  return { text: shown(rows, order, more), values };
}

/** The statement of a page whose tasks are these rows. */
export function shown(rows: string, order: FieldOrder, more = ''): string {
  return `
    WITH page AS MATERIALIZED (${rows})
    SELECT task.id, ${positionOf[order.by]}${taskJson('task', 'creator', 'assignee', more)} AS json
    FROM page task ${joinUsers('task')}
    ORDER BY ${orderBy(order)}`;
}

function orderBy({ by, direction }: FieldOrder): string {
  const keys = Object.values(columnsOf[by]).map(({ sql }) => `${sql} ${direction}`);
  return keys.join(', ').replace(`due_at ${direction}`, `due_at ${direction} NULLS LAST`);
}

/** The ids of the tasks of a list, in its order. */
export function idsStatement(
  { order, ...list }: TaskList<FieldOrder>,
  limit: number,
): { text: string; values: unknown[] } {
  const { conditions, values } = conditionsOf(list);
  const where = conditions.join(' AND ');
  const text = `SELECT task.id FROM tasks task WHERE ${where} ORDER BY ${orderBy(order)} LIMIT $${values.push(limit)}`;
  return { text, values };
}

type Part = { only: string[]; order: Keyset; place: Place };

/**
 * A list by due date has two parts, read one after the other: the tasks with a due date, and then the tasks without one. In this way one index of
 * due dates serves both directions, although `DESC NULLS LAST` is not the reverse of `ASC NULLS LAST`.
 */
function partsOf(order: FieldOrder, { after, limit }: Place): Part[] {
  if (order.by !== 'due_at') return [{ only: [], order: keysetOf(order), place: { after, limit } }];
  const [at = '', last = ''] = after ?? [];
  const isInDated = after === undefined || at !== '';
  const dated = { only: ['task.due_at IS NOT NULL'], order: keysetOf(order), place: { after, limit } };
  const undated = {
    only: ['task.due_at IS NULL'],
    order: keysetOf({ by: 'created_at', direction: order.direction }),
    place: { after: isInDated ? undefined : [last], limit },
  };
  return isInDated ? [dated, undated] : [undated];
}
