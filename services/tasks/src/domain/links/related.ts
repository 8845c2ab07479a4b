import { problem, type Problem, type ProblemCode } from '@taskwire/errors';

/** A task that a problem names. */
export type NamedTask = { id: string; title: string };

/** Tasks that a problem is about: those that the caller may read, and the number of all. */
export type RelatedTasks = { named: readonly NamedTask[]; count: number };

/** A problem about tasks that hinder another, which are in its member `tasks`. */
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

/** A problem about a cycle, whose tasks are in its member `path`. */
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
