import type { tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { edit } from '../domain/content.ts';
import { authorize } from '../domain/permissions.ts';
import { loadForUpdate, type TaskCommand } from './load-for-update.ts';
import type { Document, TaskStore } from './ports.ts';

type Command = TaskCommand & { input: z.output<typeof tasksRoutes.changeTask.body> };

/** Edits the content of a task. */
export async function changeTask({ tasks }: { tasks: TaskStore }, command: Command): Promise<Document> {
  const { actor, input } = command;
  return await tasks.transaction(async (tx) => {
    const task = await loadForUpdate(tasks, tx, command, (found) => authorize('change', actor, found));
    return await tasks.applyChange(tx, task, edit(task, input), actor.id);
  });
}
