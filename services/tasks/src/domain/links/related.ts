import { problem, type Problem, type ProblemCode } from '@taskwire/errors';

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
    task_blocked: `The task waits for ${counted(count, 'task')}.`,
    open_subtasks: `The task has ${counted(count, 'open sub-task')}. Complete or cancel them first.`,
  };
  return problem(code, details[code], { members: { tasks: named, task_count: count } });
}

/** A problem whose member `path` lists the tasks of a cycle. */
export function closesCycle(
  code: Extract<ProblemCode, 'task_cycle' | 'dependency_cycle'>,
  { named, count }: RelatedTasks,
): Problem {
  const details = {
    task_cycle: 'The parent is the task itself, or one of the tasks below it.',
    dependency_cycle:
      count === 1
        ? 'A task cannot wait for itself.'
        : `${count} tasks would wait for each other, so none of them could be completed.`,
  };
  return problem(code, details[code], { members: { path: named, task_count: count } });
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
