import { authorizeTransition, changeState } from '../domain/transitions.ts';
import type { TaskState } from '../domain/task.ts';
import { loadForUpdate, loadWithJob, type TaskCommand } from './load-for-update.ts';
import type { IdempotentRequest, TaskStore, WriteResult } from './ports.ts';

type Command = TaskCommand & { to: TaskState; request: IdempotentRequest | undefined };

/** Starts, completes or cancels a task. Cancelling a task cancels its job. */
export async function transitionTask({ tasks }: { tasks: TaskStore }, command: Command): Promise<WriteResult> {
  const { actor, to, request } = command;
  return await tasks.once(request, async (tx) => {
    const load = to === 'cancelled' ? loadWithJob : loadForUpdate;
    const task = await load(tasks, tx, command, (found) => authorizeTransition(actor, found, to));
    const change = changeState(task, to);
    if (to === 'cancelled') await tasks.cancelJobOf(tx, task, actor.id);
    return await tasks.applyChange(tx, task, change, actor.id);
  });
}
