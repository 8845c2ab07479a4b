import type { TaskList } from '../../app/task-list.ts';
import { isReadable } from '../projects/readable.ts';
import { isBlocked } from './stats.ts';
import { isUnfinished } from './unfinished.ts';

/** SQL conditions for the filters of a list that concern the graph. `task` is a row of tasks. */
export function linkConditions(
  { reader, filter: { parent, isBlocked: wanted, blocks, blockedBy } }: Pick<TaskList, 'reader' | 'filter'>,
  parameter: (value: unknown) => string,
): string[] {
  const isShown = (row: string) => (reader === null ? 'true' : isReadable(row, parameter(reader)));
  return [
    ...(parent === undefined
      ? []
      : [parent === 'none' ? 'task.parent_id IS NULL' : `task.parent_id = ${parameter(parent)}`]),
    ...(wanted === true ? [`task.id IN (${blockedTasks})`] : []),
    ...(wanted === false ? [`NOT ${isBlocked('task')}`] : []),
    ...(blocks === undefined
      ? []
      : [`task.id IN (${linked('blocker_id', 'task_id')} = ${parameter(blocks)} AND ${isShown('other')})`]),
    ...(blockedBy === undefined
      ? []
      : [`task.id IN (${linked('task_id', 'blocker_id')} = ${parameter(blockedBy)} AND ${isShown('other')})`]),
  ];
}

/** There are fewer dependencies than tasks, so a list of blocked tasks starts from them. */
const blockedTasks = `
  SELECT edge.task_id FROM task_blockers edge JOIN tasks blocker ON blocker.id = edge.blocker_id WHERE ${isUnfinished('blocker')}`;

/** The tasks at one end of the dependencies whose other end is a task. */
function linked(end: 'task_id' | 'blocker_id', otherEnd: 'task_id' | 'blocker_id'): string {
  return `SELECT edge.${end} FROM task_blockers edge JOIN tasks other ON other.id = edge.${otherEnd} WHERE other.id`;
}
