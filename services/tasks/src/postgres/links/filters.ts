import type { TaskList } from '../../app/task-list.ts';
import type { Reader } from '../../domain/projects/reader.ts';
import { among } from '../lists/among.ts';
import { isReadable } from '../projects/readable.ts';
import { isBlocked } from './stats.ts';
import { isUnfinished } from './unfinished.ts';

type Parameter = (value: unknown) => string;

/** SQL conditions for the filters of a list that concern the graph. `task` is a row of tasks. */
export function linkConditions(
  { reader, filter: { parent, isBlocked: wanted, blocks, blockedBy } }: Pick<TaskList, 'reader' | 'filter'>,
  parameter: Parameter,
): string[] {
  return [
    ...(parent === undefined
      ? []
      : [parent === 'none' ? 'task.parent_id IS NULL' : `task.parent_id = ${parameter(parent)}`]),
    ...(wanted === undefined ? [] : [wanted ? waitsSql : waitsForNothingSql]),
    ...(blocks === undefined ? [] : [linkedSql('blocks', [blocks], { reader, parameter })]),
    ...(blockedBy === undefined ? [] : [linkedSql('blocked_by', [blockedBy], { reader, parameter })]),
  ];
}

/**
 * A condition: whether the row `task` waits for a task that has not ended. There are fewer dependencies than tasks, so a list of blocked tasks starts
 * from them.
 */
export const waitsSql = `task.id IN (
  SELECT edge.task_id FROM task_blockers edge JOIN tasks blocker ON blocker.id = edge.blocker_id WHERE ${isUnfinished('blocker')})`;

/** The opposite condition. */
export const waitsForNothingSql = `NOT ${isBlocked('task')}`;

const ends = {
  blocks: ['blocker_id', 'task_id'],
  blocked_by: ['task_id', 'blocker_id'],
} as const;

/** A condition: whether the row `task` blocks one of the tasks with these ids, or is blocked by one. Tasks that the reader may not read do not count. */
export function linkedSql(
  how: keyof typeof ends,
  ids: readonly unknown[],
  { reader, parameter }: { reader: Reader; parameter: Parameter },
): string {
  const [end, otherEnd] = ends[how];
  const isShown = reader === null ? 'true' : isReadable('other', parameter(reader));
  return `task.id IN (
    SELECT edge.${end} FROM task_blockers edge JOIN tasks other ON other.id = edge.${otherEnd}
    WHERE other.id ${among(ids, 'uuid', parameter)} AND ${isShown})`;
}
