import { remove } from '../domain/content.ts';
import { requireMay } from '../domain/permissions.ts';
import { existing, type TaskCommand } from './existing-task.ts';
import type { TaskStore } from './ports.ts';

/** Soft-deletes a task: the row stays in the database, hidden. */
export function deleteTask({ tasks }: { tasks: TaskStore }) {
  return async (command: TaskCommand): Promise<void> => {
    const { actor } = command;
    await tasks.transaction(async (tx) => {
      const task = await existing(tx, command, (found) => requireMay('delete', actor, found));
      await tx.apply(task, remove(task), actor.id);
    });
  };
}
