import type { Reader } from '../../domain/projects/reader.ts';
import type { FilterNode } from '../../domain/search/filter-tree.ts';
import { linkedSql, waitsForNothingSql, waitsSql } from '../links/filters.ts';
import { priorityRank, rankOf } from './priority.ts';

type Context = { reader: Reader; parameter: (value: unknown) => string };

/** SQL for a filter tree as one condition. A missing value counts as different from any other, also within `not`. */
export function treeSql(node: FilterNode, context: Context): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return `(${node.nodes.map((one) => treeSql(one, context)).join(` ${node.kind.toUpperCase()} `)})`;
    case 'not':
      return `(${treeSql(node.node, context)}) IS NOT TRUE`;
    case 'time':
      return `task.${node.field} ${node.compare} ${context.parameter(node.at)}::timestamptz`;
    case 'blocked':
      return node.is ? waitsSql : waitsForNothingSql;
    case 'is':
      return isSql(node, context);
  }
}

function isSql({ field, values }: Extract<FilterNode, { kind: 'is' }>, context: Context): string {
  const { parameter } = context;
  const given = values.filter((value) => value !== null);
  switch (field) {
    case 'label':
      return `task.id IN (SELECT task_id FROM task_labels WHERE label = ANY (${parameter(given)}::text[]))`;
    case 'priority':
      return `${priorityRank('task')} = ANY (${parameter(given.map(rankOf))}::integer[])`;
    case 'due_at':
      return 'task.due_at IS NULL';
    case 'assignee':
    case 'creator':
    case 'project':
    case 'parent': {
      const isOneOf = `task.${field}_id = ANY (${parameter(given)}::uuid[])`;
      return values.length === given.length ? isOneOf : `(${isOneOf} OR task.${field}_id IS NULL)`;
    }
    case 'blocks':
    case 'blocked_by':
      return linkedSql(field, given, context);
    case 'state':
    case 'kind':
      return `task.${field} = ANY (${parameter(given)}::text[])`;
  }
}
