import { requireMayTransition, transition } from '../domain/transitions.ts';
import type { TaskState } from '../domain/task.ts';
import { existing, type TaskCommand } from './existing-task.ts';
import type { Answer, IdempotentRequest, TaskStore } from './ports.ts';

type Command = TaskCommand & { to: TaskState; request: IdempotentRequest | undefined };

/** Starts, completes or cancels a task. */
export function transitionTask({ tasks }: { tasks: TaskStore }) {
  return async (command: Command): Promise<Answer> => {
    const { actor, to, request } = command;
    return await tasks.once(request, async (tx) => {
      const task = await existing(tx, command, (found) => requireMayTransition(actor, found, to));
      return await tx.apply(task, transition(task, to), actor.id);
    });
  };
}
