import type { tasksRoutes } from '@taskwire/contracts';
import type { Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import { assign, requireAssignable } from '../domain/assignment.ts';
import type { Change } from '../domain/change.ts';
import { byUser } from '../domain/creation.ts';
import { groundsOf } from '../domain/fairness.ts';
import { requireTaskOfPeople } from '../domain/job-task.ts';
import { authorize } from '../domain/permissions.ts';
import type { Task } from '../domain/task.ts';
import { noPerformers, requireEligible, withKnownAssignee } from './eligibility.ts';
import { loadForUpdate, type TaskCommand } from './load-for-update.ts';
import type { IdempotentRequest, TaskStore, Users, WriteResult } from './ports.ts';

type Ports = { tasks: TaskStore; users: Users };

type Command = TaskCommand & {
  input: z.output<typeof tasksRoutes.assignTask.body>;
  request: IdempotentRequest | undefined;
};

/** Assigns a task to the given performer, or to the least loaded one. */
export async function assignTask({ tasks, users }: Ports, command: Command): Promise<WriteResult> {
  const { input } = command;
  const assigneeId = 'assignee_id' in input ? input.assignee_id : null;
  return await withKnownAssignee(users, assigneeId, async () => await tryToAssign(tasks, command));
}

async function tryToAssign(tasks: TaskStore, command: Command): Promise<WriteResult> {
  const { actor, input, request } = command;
  return await tasks.once(request, async (tx) => {
    if ('assign' in input) await tasks.lockAssignments(tx);
    const task = await loadForUpdate(tasks, tx, command, (found) => authorize('assign', actor, found));
    requireTaskOfPeople(task, 'it cannot be assigned');
    requireAssignable(task);
    const change =
      'assign' in input ? await assignAtRandom(tasks, tx, task, input.reason) : await assignTo(tasks, tx, task, input);
    return await tasks.applyChange(tx, task, change, actor.id);
  });
}

type Chosen = Extract<Command['input'], { assignee_id: string }>;

async function assignTo(tasks: TaskStore, tx: Tx, task: Task, { assignee_id, reason }: Chosen): Promise<Change> {
  requireEligible(await tasks.lockEligibility(tx, assignee_id, task.project_id));
  return assign(task, assignee_id, reason === undefined ? byUser : { ...byUser, why: reason });
}

async function assignAtRandom(tasks: TaskStore, tx: Tx, task: Task, why: string | undefined): Promise<Change> {
  const choice = await tasks.pickLeastLoaded(tx, task);
  if (choice === undefined) throw noPerformers(task.project_id);
  const grounds = groundsOf(choice);
  return assign(task, choice.performer_id, why === undefined ? grounds : { ...grounds, why });
}
