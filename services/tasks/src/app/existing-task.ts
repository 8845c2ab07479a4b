import { problem, type Problem } from '@taskwire/errors';
import type { Person, Task } from '../domain/task.ts';
import type { TaskTransaction } from './ports.ts';

/** A user's command on one task. */
export type TaskCommand = {
  actor: Person;
  taskId: string;
  /** Throws when the task's version differs from the one that the caller expects. */
  requireVersion: (version: number) => void;
};

/**
 * Locks the task of a command, then checks existence, permission and version, in that order of precedence.
 * @throws Problem `not_found`, whatever `permitted` throws, `precondition_failed`.
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
