import type { Tx } from '@taskwire/postgres';
import { problem, type Problem } from '@taskwire/errors';
import { readerOf, type Reader } from '../domain/projects/reader.ts';
import type { ActedTask, Actor } from '../domain/task.ts';
import type { TaskLocks } from './ports.ts';

/** A user's command on one task. */
export type TaskCommand = {
  actor: Actor;
  taskId: string;
  /** Throws when the task's version differs from the one that the caller expects. */
  requireVersion: (version: number) => void;
};

/**
 * Locks the task of a command, then checks existence, permission and version, in that order of precedence.
 * @throws Problem `not_found`, whatever `requirePermission` throws, `precondition_failed`.
 */
export async function loadForUpdate<T extends ActedTask>(
  tasks: { lockTask(tx: Tx, id: string, reader: Reader): Promise<T | undefined> },
  tx: Tx,
  command: TaskCommand,
  requirePermission: (task: T) => void,
): Promise<T> {
  const task = await tasks.lockTask(tx, command.taskId, readerOf(command.actor));
  if (task === undefined) throw noSuchTask();
  requirePermission(task);
  command.requireVersion(task.version);
  return task;
}

/** Like `loadForUpdate`, for a command that ends the task. */
export async function loadToEnd(
  { lockTaskToEnd: lockTask }: Pick<TaskLocks, 'lockTaskToEnd'>,
  ...rest: Parameters<typeof loadForUpdate> extends [unknown, ...infer R] ? R : never
): Promise<ActedTask> {
  return await loadForUpdate({ lockTask }, ...rest);
}

export function noSuchTask(): Problem {
  return problem('not_found', 'There is no task with this id.');
}
