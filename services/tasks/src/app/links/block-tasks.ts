import { addition, removal, requireMayWait, requireRoom } from '../../domain/links/dependencies.ts';
import { authorize } from '../../domain/permissions.ts';
import { readerOf } from '../../domain/projects/reader.ts';
import type { Actor } from '../../domain/task.ts';
import { noSuchTask } from '../load-for-update.ts';
import type { TaskStore } from '../ports.ts';
import { requireNoCycle } from './place.ts';
import type { LinkStore } from './ports.ts';

export type DependencyPorts = { tasks: Pick<TaskStore, 'transaction' | 'lockTask'>; links: LinkStore };

type Command = { actor: Actor; taskId: string; blockerId: string };

/** Lets a task wait for another. Repeating it changes nothing. */
export async function addBlocker({ tasks, links }: DependencyPorts, command: Command): Promise<void> {
  const { actor, taskId, blockerId } = command;
  await tasks.transaction(async (tx) => {
    await links.lockGraph(tx);
    const locked = await links.lockTasks(tx, [taskId, blockerId], readerOf(actor));
    const [task, blocker] = [locked.get(taskId), locked.get(blockerId)];
    if (task === undefined || blocker === undefined) throw noSuchTask();
    requireMayWait(actor, task);
    const { isStored, ...counts } = await links.countDependencies(tx, command);
    if (isStored) return;
    await requireNoCycle(links, tx, { from: blocker, to: taskId, actor });
    requireRoom(counts);
    await links.addDependency(tx, { taskId, blockerId, change: addition(blockerId), actorId: actor.id });
  });
}

/** Lets a task no longer wait for another. Repeating it changes nothing. */
export async function removeBlocker({ tasks, links }: DependencyPorts, command: Command): Promise<void> {
  const { actor, taskId, blockerId } = command;
  await tasks.transaction(async (tx) => {
    const task = await tasks.lockTask(tx, taskId, readerOf(actor));
    if (task === undefined) throw noSuchTask();
    authorize('change', actor, task);
    await links.removeDependency(tx, { taskId, blockerId, change: removal(blockerId), actorId: actor.id });
  });
}
