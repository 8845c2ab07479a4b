import { remove } from '../domain/content.ts';
import { authorize } from '../domain/permissions.ts';
import { loadWithJob, type TaskCommand } from './load-for-update.ts';
import type { TaskStore } from './ports.ts';

/** Soft-deletes a task: the row stays in the database, hidden. Its job is cancelled. */
export async function deleteTask({ tasks }: { tasks: TaskStore }, command: TaskCommand): Promise<void> {
  const { actor } = command;
  await tasks.transaction(async (tx) => {
    const task = await loadWithJob(tasks, tx, command, (found) => authorize('delete', actor, found));
    await tasks.cancelJobOf(tx, task, actor.id);
    await tasks.applyChange(tx, task, remove(task), actor.id);
  });
}
