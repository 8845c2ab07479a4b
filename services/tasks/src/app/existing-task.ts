import { problem, type Problem } from '@taskwire/errors';
import type { Person, Task } from '../domain/task.ts';
import type { TaskTransaction } from './ports.ts';

/** Somebody's wish about one task. */
export type TaskCommand = {
  actor: Person;
  taskId: string;
  /** Throws when the task has another version than the caller wants to change. */
  requireVersion: (version: number) => void;
};

/**
 * Locks the task that a command is about, and checks in the order in which faults are answered: is it there, may they, is it what they
 * saw. @throws Problem `not_found`, what `permitted` throws, `precondition_failed`.
 */
export async function existing(
  tx: TaskTransaction,
  command: TaskCommand,
  permitted: (task: Task) => void,
): Promise<Task> {
  const task = await tx.lock(command.taskId);
  if (task === undefined) throw noSuchTask();
  permitted(task);
  command.requireVersion(task.version);
  return task;
}

export function noSuchTask(): Problem {
  return problem('not_found', 'There is no task with this id.');
}
