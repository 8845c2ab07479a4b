import type { tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { normalised } from '../domain/content.ts';
import { explainChoice } from '../domain/fairness.ts';
import { requireMay } from '../domain/permissions.ts';
import type { Person } from '../domain/task.ts';
import { ineligible, noPerformers, requirePerformer } from './performers.ts';
import type { Answer, IdempotentRequest, NewTask, People, TaskStore } from './ports.ts';
import type { UserLimit } from './user-limit.ts';

type Command = {
  actor: Person;
  input: z.output<typeof tasksRoutes.createTask.body>;
  request: IdempotentRequest | undefined;
};

/**
 * Creates a task, either as a draft or assigned at once. A replayed response also counts against the creation limit.
 */
export function createTask({ tasks, people, creations }: { tasks: TaskStore; people: People; creations: UserLimit }) {
  return async ({ actor, input, request }: Command): Promise<Answer> => {
    creations.take(actor.id);
    const { assignee_id = null, assign, ...fields } = input;
    const task: NewTask = { ...normalised(fields), creator_id: actor.id, assignee_id };
    if (assign === 'random' || assignee_id !== null) requireMay('assign', actor, task);
    return assign === 'random'
      ? await createForAnybody(tasks, task, request)
      : await create(tasks, people, task, request);
  };
}

async function create(tasks: TaskStore, people: People, task: NewTask, request: Command['request']): Promise<Answer> {
  const created = await tasks.create(task, request);
  if (created !== 'no performer') return created;
  // the directory may not know this user yet: look them up in Auth, then try again
  if (task.assignee_id !== null) await requirePerformer(people, task.assignee_id);
  const createdNow = await tasks.create(task, request);
  if (createdNow === 'no performer') throw ineligible();
  return createdNow;
}

async function createForAnybody(tasks: TaskStore, task: NewTask, request: Command['request']): Promise<Answer> {
  return await tasks.once(request, async (tx) => {
    await tx.takeTurn();
    const choice = await tx.chooseFairly(null);
    if (choice === undefined) throw noPerformers();
    return await tx.create({ ...task, assignee_id: choice.performer_id }, explainChoice(choice));
  });
}
