import { remove } from '../domain/content.ts';
import { authorize } from '../domain/permissions.ts';
import { loadForUpdate, type TaskCommand } from './load-for-update.ts';
import type { TaskStore } from './ports.ts';

/** Soft-deletes a task: the row stays in the database, hidden. */
export async function deleteTask({ tasks }: { tasks: TaskStore }, command: TaskCommand): Promise<void> {
  const { actor } = command;
  await tasks.transaction(async (tx) => {
    const task = await loadForUpdate(tasks, tx, command, (found) => authorize('delete', actor, found));
    await tasks.applyChange(tx, task, remove(task), actor.id);
  });
}
