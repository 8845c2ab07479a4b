import type { TaskList } from '../../app/task-list.ts';
import { linkConditions } from '../links/filters.ts';
import { isReadable } from '../projects/readable.ts';
import { matchesSql } from '../search/matches.ts';
import { textQuerySql } from '../search/text-query-sql.ts';
import { among } from './among.ts';
import { priorityRank, rankOf } from './priority.ts';
import { treeSql } from './tree-sql.ts';

/** SQL conditions for the tasks of a list, and the values of their parameters. `task` is a row of tasks. */
export function conditionsOf({ reader, filter }: Omit<TaskList, 'order'>): { conditions: string[]; values: unknown[] } {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const { state, assignee, creator, mine, kind, project, priority, text, tree } = filter;
  const { anyLabel, allLabels, dueBefore, dueAfter } = filter;
  const { isDeleted = false } = filter;
  const conditions = [`task.deleted_at IS ${isDeleted ? 'NOT NULL' : 'NULL'}`];
  const hasLabel = isDeleted ? deletedWithLabel : withLabel;
  if (assignee === 'none') conditions.push('task.assignee_id IS NULL');
  else if (assignee !== undefined) conditions.push(`task.assignee_id = ${parameter(assignee)}`);
  // an index serves = but not IS NOT DISTINCT FROM
  if (mine !== undefined)
    conditions.push(`task.assignee_id ${mine.is ? '=' : 'IS DISTINCT FROM'} ${parameter(mine.userId)}`);
  if (state !== undefined) conditions.push(`task.state = ${parameter(state)}`);
  if (creator !== undefined) conditions.push(`task.creator_id = ${parameter(creator)}`);
  // literal, so that a prepared statement can use the partial index of tasks of kind `job`
  if (kind !== undefined) conditions.push(kind === 'job' ? "task.kind = 'job'" : "task.kind = 'task'");
  if (project === 'none') conditions.push('task.project_id IS NULL');
  else if (project !== undefined) conditions.push(`task.project_id = ${parameter(project)}`);
  if (priority !== undefined) conditions.push(`${priorityRank('task')} = ${parameter(rankOf(priority))}`);
  if (anyLabel !== undefined) conditions.push(hasLabel(anyLabel, parameter));
  for (const label of allLabels ?? []) conditions.push(hasLabel([label], parameter));
  if (dueBefore !== undefined) conditions.push(`task.due_at < ${parameter(dueBefore)}`);
  if (dueAfter !== undefined) conditions.push(`task.due_at >= ${parameter(dueAfter)}`);
  if (text !== undefined)
    conditions.push(`task.id IN (SELECT task_id FROM (${matchesSql(textQuerySql(text, parameter))}) AS matches)`);
  conditions.push(...linkConditions({ reader, filter }, parameter));
  if (tree !== undefined) conditions.push(treeSql(tree, { reader, parameter }));
  if (reader !== null) conditions.push(isReadable('task', parameter(reader)));
  return { conditions, values };
}

function withLabel(labels: readonly string[], parameter: (value: unknown) => string): string {
  return `task.id IN (SELECT task_id FROM task_labels WHERE label ${among(labels, 'text', parameter)})`;
}

/** `task_labels` has no rows of deleted tasks. */
function deletedWithLabel(labels: readonly string[], parameter: (value: unknown) => string): string {
  return `task.labels && ${parameter(labels)}::text[]`;
}
