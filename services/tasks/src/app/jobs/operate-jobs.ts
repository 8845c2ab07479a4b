import { jsonText, tasksRoutes } from '@taskwire/contracts';
import { problem, type Problem } from '@taskwire/errors';
import type { z } from 'zod';
import { actorName, type JobActor } from '../../domain/jobs/permissions.ts';
import type { IdempotentRequest, WriteResult } from '../ports.ts';
import type { JobOperating, JobReads, Operator } from './ports.ts';
import { readJob } from './read-job.ts';

type Ports = { jobs: JobReads & JobOperating };
type Command<I> = { actor: JobActor; input: I; request: IdempotentRequest | undefined };
type JobSchema = (typeof tasksRoutes.getJob.responses)[200];
type Batch = z.output<typeof tasksRoutes.replayJobs.body>;

const replayedJobs = tasksRoutes.replayJobs.responses[200];
const droppedJobs = tasksRoutes.dropJobs.responses[200];

/** Cancels a job. Cancelling a cancelled job changes nothing. @throws Problem `not_found`; `conflict` for a job that has ended. */
export async function cancelJob(
  ports: Ports,
  { actor, input: { id }, request }: Command<{ id: string }>,
): Promise<WriteResult<JobSchema>> {
  return await ports.jobs.once<JobSchema>(request, async (tx) => {
    await readJob(ports, actor, id, tx);
    const changed = await ports.jobs.cancel(tx, id, operatorOf(actor));
    if (changed !== undefined) return changed;
    const ended = await readJob(ports, actor, id, tx);
    if ((JSON.parse(ended.text) as { state: string }).state !== 'cancelled') throw notInState('has ended');
    return ended;
  });
}

/** Queues a dead job again. @throws Problem `not_found`; `conflict` unless the job is dead. */
export async function replayJob(
  ports: Ports,
  { actor, input: { id, reason }, request }: Command<{ id: string; reason: string }>,
): Promise<WriteResult<JobSchema>> {
  return await ports.jobs.once<JobSchema>(request, async (tx) => {
    const replayed = await ports.jobs.replay(tx, { id, limit: 1 }, { ...operatorOf(actor), reason });
    const job = await readJob(ports, actor, id, tx);
    if (replayed === 0) throw notInState('is not dead');
    return job;
  });
}

/** Queues dead jobs again. `more` is true when further jobs may match. */
export async function replayJobs(
  { jobs }: Ports,
  { actor, input: { filter, reason, limit }, request }: Command<Batch>,
): Promise<WriteResult<typeof replayedJobs>> {
  return await jobs.once<typeof replayedJobs>(request, async (tx) => {
    const replayed = await jobs.replay(tx, { ...filter, limit }, { ...operatorOf(actor), reason });
    return { text: jsonText(replayedJobs, { replayed, more: replayed === limit }) };
  });
}

/** Cancels dead jobs permanently. */
export async function dropJobs(
  { jobs }: Ports,
  { actor, input: { filter, reason, limit }, request }: Command<Batch>,
): Promise<WriteResult<typeof droppedJobs>> {
  return await jobs.once<typeof droppedJobs>(request, async (tx) => {
    const dropped = await jobs.drop(tx, { ...filter, limit }, { ...operatorOf(actor), reason });
    return { text: jsonText(droppedJobs, { dropped, more: dropped === limit }) };
  });
}

function operatorOf(actor: JobActor): Omit<Operator, 'reason'> {
  return { name: actorName(actor), userId: actor.kind === 'user' ? actor.id : null };
}

function notInState(what: string): Problem {
  return problem('conflict', `The job ${what}.`);
}
