import type { tasksRoutes } from '@taskwire/contracts';
import type { Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import { normalised } from '../domain/content.ts';
import { changeDueDate, defaultReminder, noDueDate } from '../domain/due-date.ts';
import { assignmentReason } from '../domain/fairness.ts';
import { requireJobSender } from '../domain/jobs/permissions.ts';
import { authorize } from '../domain/permissions.ts';
import type { Actor } from '../domain/task.ts';
import { ineligible, noPerformers, requireEligible, withKnownAssignee } from './eligibility.ts';
import { toNewJob } from './jobs/enqueue-jobs.ts';
import type { JobEnqueuing } from './jobs/ports.ts';
import { placeNewTask } from './links/place.ts';
import type { LinkStore } from './links/ports.ts';
import type { Document, IdempotentRequest, NewTask, TaskStore, Users, WriteResult } from './ports.ts';
import type { UserLimit } from './user-limit.ts';

type Ports = { tasks: TaskStore; users: Users; jobs: JobEnqueuing; links: LinkStore; creations: UserLimit };

type Command = {
  actor: Actor;
  input: z.output<typeof tasksRoutes.createTask.body>;
  request: IdempotentRequest | undefined;
};

/**
 * Creates a task, either as a draft or assigned at once, or a task with the job that carries it out. A replayed response also counts against the creation limit.
 */
export async function createTask(ports: Ports, { actor, input, request }: Command): Promise<WriteResult> {
  ports.creations.take(actor.id);
  const {
    assignee_id = null,
    assign,
    remind_before = defaultReminder,
    kind: _,
    job,
    parent_id = null,
    ...fields
  } = input;
  const content = { ...normalised(fields), ...changeDueDate(noDueDate, fields), remind_before };
  const task: NewTask = { ...content, creator_id: actor.id, assignee_id, parent_id, project_id: null };
  if (job !== undefined) return await createWithJob(ports, actor, { task, job, request });
  if (assign === 'random' || assignee_id !== null) authorize('assign', actor, task);
  if (parent_id !== null) return await createSubtask(ports, actor, { task, parentId: parent_id, assign, request });
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
    return await insertAssignedAtRandom(tasks, tx, task);
  });
}

async function insertAssignedAtRandom(tasks: TaskStore, tx: Tx, task: NewTask): Promise<Document> {
  const choice = await tasks.pickLeastLoaded(tx, null);
  if (choice === undefined) throw noPerformers();
  return await tasks.insertTask(tx, { ...task, assignee_id: choice.performer_id }, assignmentReason(choice));
}

type Subtask = { task: NewTask; parentId: string; assign: 'random' | undefined; request: Command['request'] };

/** Creates a sub-task, in the project of its parent, behind the locks of the graph and the parent. */
async function createSubtask(
  { tasks, users, links }: Ports,
  actor: Actor,
  { task, parentId, assign, request }: Subtask,
): Promise<WriteResult> {
  const create = async () =>
    await tasks.once(request, async (tx) => {
      if (assign === 'random') await tasks.lockAssignments(tx);
      const { project_id } = await placeNewTask(links, tx, actor, parentId);
      const subtask = { ...task, project_id };
      if (assign === 'random') return await insertAssignedAtRandom(tasks, tx, subtask);
      if (task.assignee_id !== null) requireEligible(await tasks.lockEligibility(tx, task.assignee_id));
      return await tasks.insertTask(tx, subtask, null);
    });
  return await withKnownAssignee(users, task.assignee_id, create);
}

type WithJob = { task: NewTask; job: NonNullable<Command['input']['job']>; request: Command['request'] };

/** Stores the job before the task: every transaction that changes both uses this order. */
async function createWithJob(
  { tasks, jobs, links }: Ports,
  actor: Actor,
  { task, job, request }: WithJob,
): Promise<WriteResult> {
  requireJobSender(actor);
  return await tasks.once(request, async (tx) => {
    const parent = task.parent_id === null ? undefined : await placeNewTask(links, tx, actor, task.parent_id);
    const project_id = parent?.project_id ?? null;
    const id = await tasks.newTaskId(tx);
    const [receipt] = await jobs.enqueueWithin(tx, [{ ...toNewJob(job, { kind: 'user', id: actor.id }), taskId: id }]);
    if (receipt === undefined) throw new Error('a job was stored without a receipt');
    return await tasks.insertJobTask(tx, { ...task, project_id }, { id, jobId: receipt.id });
  });
}
