import type { tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { normalised } from '../domain/content.ts';
import { assignmentReason } from '../domain/fairness.ts';
import { authorize } from '../domain/permissions.ts';
import type { Actor } from '../domain/task.ts';
import { ineligible, noPerformers, requireEligible } from './eligibility.ts';
import type { IdempotentRequest, NewTask, TaskStore, Users, WriteResult } from './ports.ts';
import type { UserLimit } from './user-limit.ts';

type Ports = { tasks: TaskStore; users: Users; creations: UserLimit };

type Command = {
  actor: Actor;
  input: z.output<typeof tasksRoutes.createTask.body>;
  request: IdempotentRequest | undefined;
};

/**
 * Creates a task, either as a draft or assigned at once. A replayed response also counts against the creation limit.
 */
export async function createTask(ports: Ports, { actor, input, request }: Command): Promise<WriteResult> {
  ports.creations.take(actor.id);
  const { assignee_id = null, assign, ...fields } = input;
  const task: NewTask = { ...normalised(fields), creator_id: actor.id, assignee_id };
  if (assign === 'random' || assignee_id !== null) authorize('assign', actor, task);
  return assign === 'random'
    ? await createAssignedAtRandom(ports.tasks, task, request)
    : await createDraftOrAssigned(ports, task, request);
}

async function createDraftOrAssigned(
  { tasks, users }: Ports,
  task: NewTask,
  request: Command['request'],
): Promise<WriteResult> {
  const created = await tasks.createTask(task, request);
  if (created !== 'ineligible') return created;
  // the directory may not know this user yet: look them up in Auth, then try again
  if (task.assignee_id !== null) requireEligible(await users.eligibilityOf(task.assignee_id));
  const createdNow = await tasks.createTask(task, request);
  if (createdNow === 'ineligible') throw ineligible();
  return createdNow;
}

async function createAssignedAtRandom(
  tasks: TaskStore,
  task: NewTask,
  request: Command['request'],
): Promise<WriteResult> {
  return await tasks.once(request, async (tx) => {
    await tasks.lockAssignments(tx);
    const choice = await tasks.pickLeastLoaded(tx, null);
    if (choice === undefined) throw noPerformers();
    return await tasks.insertTask(tx, { ...task, assignee_id: choice.performer_id }, assignmentReason(choice));
  });
}
