import type { tasksRoutes } from '@taskwire/contracts';
import type { Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import { normalised } from '../domain/content.ts';
import { changeDueDate, defaultReminder, noDueDate } from '../domain/due-date.ts';
import { byUser } from '../domain/creation.ts';
import { groundsOf } from '../domain/fairness.ts';
import { requireJobSender } from '../domain/jobs/permissions.ts';
import { authorize, outsideOfProjects } from '../domain/permissions.ts';
import type { Actor } from '../domain/task.ts';
import { ineligible, noPerformers, requireEligible, withKnownAssignee } from './eligibility.ts';
import { toNewJob } from './jobs/enqueue-jobs.ts';
import { findUnknownQueue, type KnownQueues } from './jobs/known-queues.ts';
import type { JobEnqueuing } from './jobs/ports.ts';
import type { Document, IdempotentRequest, NewTask, TaskStore, Users, WriteResult } from './ports.ts';
import { placeInProject, type Places } from './projects/place-in-project.ts';
import type { UserLimit } from './user-limit.ts';

type Ports = Places & {
  tasks: TaskStore;
  users: Users;
  jobs: JobEnqueuing;
  knownQueues: KnownQueues;
  creations: UserLimit;
};

type Command = {
  actor: Actor;
  input: z.output<typeof tasksRoutes.createTask.body>;
  request: IdempotentRequest | undefined;
};

/**
 * Creates a task: a draft, an assigned task, or a task with the job that carries it out. A replayed response also counts against the creation limit.
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
    project_id,
    ...fields
  } = input;
  const content = { ...normalised(fields), ...changeDueDate(noDueDate, fields), remind_before };
  const task: NewTask = { ...content, creator_id: actor.id, assignee_id, parent_id, project_id: project_id ?? null };
  if (job !== undefined) return await createWithJob(ports, actor, { task, job, projectId: project_id, request });
  if (parent_id !== null || task.project_id !== null)
    return await createInPlace(ports, actor, { task, isRandom: assign === 'random', projectId: project_id, request });
  if (assign === 'random' || assignee_id !== null) authorize('assign', actor, { ...task, ...outsideOfProjects });
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
  const choice = await tasks.pickLeastLoaded(tx, { id: null, project_id: task.project_id });
  if (choice === undefined) throw noPerformers(task.project_id);
  return await tasks.insertTask(tx, { ...task, assignee_id: choice.performer_id }, groundsOf(choice));
}

/** `projectId` is undefined if the caller named no project. */
type InPlace = { task: NewTask; isRandom: boolean; projectId: string | null | undefined; request: Command['request'] };

/** Creates a task in a project, or a sub-task in the project of its parent. A sub-task needs the locks of the graph and of the parent. */
async function createInPlace(
  ports: Ports,
  actor: Actor,
  { task, isRandom, projectId, request }: InPlace,
): Promise<WriteResult> {
  const { tasks, users } = ports;
  const { assignee_id } = task;
  const create = async (tx: Tx) => {
    if (isRandom) await tasks.lockAssignments(tx);
    const place = await placeInProject(ports, tx, { actor, parentId: task.parent_id, projectId });
    const placed = { ...task, project_id: place.project_id };
    if (isRandom || assignee_id !== null) authorize('assign', actor, { ...placed, ...place });
    if (isRandom) return await insertAssignedAtRandom(tasks, tx, placed);
    if (assignee_id !== null) requireEligible(await tasks.lockEligibility(tx, assignee_id, place.project_id));
    return await tasks.insertTask(tx, placed, byUser);
  };
  return await withKnownAssignee(users, assignee_id, async () => await tasks.once(request, create));
}

type WithJob = Omit<InPlace, 'isRandom'> & { job: NonNullable<Command['input']['job']> };

/** Stores the job before the task: every transaction that changes both uses this order. */
async function createWithJob(
  ports: Ports,
  actor: Actor,
  { task, job, projectId, request }: WithJob,
): Promise<WriteResult> {
  const { tasks, jobs, knownQueues } = ports;
  requireJobSender(actor);
  const fault = await findUnknownQueue(knownQueues, [{ field: 'job.queue', queue: job.queue }]);
  return await tasks.once(request, async (tx) => {
    const { project_id } = await placeInProject(ports, tx, { actor, parentId: task.parent_id, projectId });
    if (fault !== undefined) throw fault;
    const id = await tasks.newTaskId(tx);
    const newJob = { ...toNewJob(job, { kind: 'user', id: actor.id }, 'job.'), taskId: id };
    const [receipt] = await jobs.enqueueWithin(tx, [newJob]);
    if (receipt === undefined) throw new Error('a job was stored without a receipt');
    return await tasks.insertJobTask(tx, { ...task, project_id }, { id, jobId: receipt.id });
  });
}
