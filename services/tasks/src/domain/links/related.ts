import { fieldProblem, type Problem, type ProblemCode } from '@taskwire/errors';

/** A task that a problem names. */
export type NamedTask = { id: string; title: string };

/** The tasks that a problem concerns: those that the caller may read, and the total number. */
export type RelatedTasks = { named: readonly NamedTask[]; count: number };

/** A problem whose member `tasks` lists the tasks that hold up another task. */
export function hinderedBy(
  code: Extract<ProblemCode, 'open_subtasks' | 'task_blocked'>,
  { named, count }: RelatedTasks,
): Problem {
  const details = {
    task_blocked: `The task waits for ${counted(count, 'task')}. Complete or cancel them first; a manager or admin may send "override_blocked": true with a reason.`,
    open_subtasks: `The task has ${counted(count, 'open sub-task')}. Complete or cancel them first; a manager or admin may send "force": true.`,
  };
  const messages = {
    task_blocked: 'cannot change while the task is blocked',
    open_subtasks: 'cannot be completed while sub-tasks are open',
  };
  const members = { tasks: named, task_count: count };
  return fieldProblem(code, { field: 'state', message: messages[code], detail: details[code], members });
}

/** A problem whose member `path` lists the tasks of a cycle. */
export function closesCycle(
  code: Extract<ProblemCode, 'task_cycle' | 'dependency_cycle'>,
  { named, count }: RelatedTasks,
): Problem {
  const fields = { task_cycle: 'parent_id', dependency_cycle: 'other_id' };
  const details = {
    task_cycle: 'The parent is the task itself, or one of the tasks below it. Use a task outside of that tree.',
    dependency_cycle:
      count === 1
        ? 'A task cannot wait for itself. Use another task.'
        : `${count} tasks would wait for each other, so none of them could be completed. Remove one of the dependencies between them first.`,
  };
  const members = { path: named, task_count: count };
  return fieldProblem(code, { field: fields[code], message: 'closes a cycle', detail: details[code], members });
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
