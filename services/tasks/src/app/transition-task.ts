import { authorizeTransition, changeState } from '../domain/transitions.ts';
import type { TaskState } from '../domain/task.ts';
import { loadForUpdate, type TaskCommand } from './load-for-update.ts';
import type { IdempotentRequest, TaskStore, WriteResult } from './ports.ts';

type Command = TaskCommand & { to: TaskState; request: IdempotentRequest | undefined };

/** Starts, completes or cancels a task. */
export async function transitionTask({ tasks }: { tasks: TaskStore }, command: Command): Promise<WriteResult> {
  const { actor, to, request } = command;
  return await tasks.once(request, async (tx) => {
    const task = await loadForUpdate(tasks, tx, command, (found) => authorizeTransition(actor, found, to));
    return await tasks.applyChange(tx, task, changeState(task, to), actor.id);
  });
}
