import type { tasksRoutes } from '@taskwire/contracts';
import { Problem } from '@taskwire/errors';
import type { z } from 'zod';
import { assign, requireAssignable } from '../domain/assignment.ts';
import type { Change } from '../domain/change.ts';
import { explainChoice } from '../domain/fairness.ts';
import { requireMay } from '../domain/permissions.ts';
import type { Task } from '../domain/task.ts';
import { existing, type TaskCommand } from './existing-task.ts';
import { noPerformers, requirePerformer, requireStanding } from './performers.ts';
import type { Answer, IdempotentRequest, People, TaskStore, TaskTransaction } from './ports.ts';

type Command = TaskCommand & {
  input: z.output<typeof tasksRoutes.assignTask.body>;
  request: IdempotentRequest | undefined;
};

/** Assigns a task to the given performer, or to a fairly chosen one. */
export function assignTask({ tasks, people }: { tasks: TaskStore; people: People }) {
  return async (command: Command): Promise<Answer> => {
    const { input } = command;
    try {
      return await assignOnce(tasks, command);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'unknown_assignee' || !('assignee_id' in input)) throw error;
    }
    // the transaction has ended and released its locks: look the user up in Auth, then try again
    await requirePerformer(people, input.assignee_id);
    return await assignOnce(tasks, command);
  };
}

async function assignOnce(tasks: TaskStore, command: Command): Promise<Answer> {
  const { actor, input, request } = command;
  return await tasks.once(request, async (tx) => {
    if ('assign' in input) await tx.takeTurn();
    const task = await existing(tx, command, (found) => requireMay('assign', actor, found));
    requireAssignable(task);
    const change = 'assign' in input ? await giveToAnybody(tx, task) : await giveTo(tx, task, input.assignee_id);
    return await tx.apply(task, change, actor.id);
  });
}

async function giveTo(tx: TaskTransaction, task: Task, performerId: string): Promise<Change> {
  requireStanding(await tx.lockStanding(performerId));
  return assign(task, performerId, null);
}

async function giveToAnybody(tx: TaskTransaction, task: Task): Promise<Change> {
  const choice = await tx.chooseFairly(task.id);
  if (choice === undefined) throw noPerformers();
  return assign(task, choice.performer_id, explainChoice(choice));
}
