import type { tasksRoutes } from '@taskwire/contracts';
import type { Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import { edit } from '../domain/content.ts';
import { authorize } from '../domain/permissions.ts';
import { readerOf } from '../domain/projects/reader.ts';
import { placeTask } from './links/place.ts';
import type { LinkStore } from './links/ports.ts';
import { loadForUpdate, type TaskCommand } from './load-for-update.ts';
import type { Document, TaskStore } from './ports.ts';

type Ports = { tasks: TaskStore; links: LinkStore };
type Command = TaskCommand & { input: z.output<typeof tasksRoutes.changeTask.body> };

/** Edits the content of a task, and moves it to another parent. */
export async function changeTask({ tasks, links }: Ports, command: Command): Promise<Document> {
  const { actor, input } = command;
  const { parent_id: parentId } = input;
  return await tasks.transaction(async (tx) => {
    const task =
      parentId === undefined
        ? await loadForUpdate(tasks, tx, command, (found) => authorize('change', actor, found))
        : await loadAndPlace(links, tx, command, parentId);
    return await tasks.applyChange(tx, task, edit(task, input), actor.id);
  });
}

/** Locks a task with its future parent, if any, and checks that it may be moved there. */
async function loadAndPlace(links: LinkStore, tx: Tx, command: Command, parentId: string | null) {
  const { actor, taskId } = command;
  await links.lockGraph(tx);
  const locked = await links.lockTasks(tx, parentId === null ? [taskId] : [taskId, parentId], readerOf(actor));
  const lockTask = async () => locked.get(taskId);
  const task = await loadForUpdate({ lockTask }, tx, command, (found) => authorize('change', actor, found));
  if (parentId !== null && parentId !== task.parent_id)
    await placeTask(links, tx, actor, { task, parent: locked.get(parentId) });
  return task;
}
