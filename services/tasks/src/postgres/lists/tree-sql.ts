import type { FilterNode } from '../../domain/search/filter-tree.ts';
import { priorityRank, rankOf } from './priority.ts';

type Parameter = (value: unknown) => string;

/** SQL for a filter tree as one condition. A missing value counts as different from any other, also within `not`. */
export function treeSql(node: FilterNode, parameter: Parameter): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return `(${node.nodes.map((one) => treeSql(one, parameter)).join(` ${node.kind.toUpperCase()} `)})`;
    case 'not':
      return `(${treeSql(node.node, parameter)}) IS NOT TRUE`;
    case 'time':
      return `task.${node.field} ${node.compare} ${parameter(node.at)}::timestamptz`;
    case 'is':
      return isSql(node, parameter);
  }
}

function isSql({ field, values }: Extract<FilterNode, { kind: 'is' }>, parameter: Parameter): string {
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
    case 'project': {
      const among = `task.${field}_id = ANY (${parameter(given)}::uuid[])`;
      return values.length === given.length ? among : `(${among} OR task.${field}_id IS NULL)`;
    }
    case 'state':
    case 'kind':
      return `task.${field} = ANY (${parameter(given)}::text[])`;
  }
}
