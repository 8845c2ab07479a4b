import type { tasksRoutes } from '@taskwire/contracts';
import { problem, type Problem } from '@taskwire/errors';
import type { z } from 'zod';
import { actorName, hasQueue, type JobActor } from '../../domain/jobs/permissions.ts';
import type { JobDocument, JobOperating, JobReads, Operator } from './ports.ts';
import { readJob } from './read-job.ts';

type Ports = { jobs: JobReads & JobOperating };
type Batch = z.output<typeof tasksRoutes.replayJobs.body>;

/** Cancels a job. Cancelling a cancelled job changes nothing. @throws Problem `not_found`; `conflict` for a job that has ended. */
export async function cancelJob(ports: Ports, actor: JobActor, id: string): Promise<JobDocument> {
  const job = await ports.jobs.readJob(id);
  if (job === undefined || !hasQueue(actor, job.queue)) throw problem('not_found', 'There is no job with this id.');
  const changed = await ports.jobs.cancel(id, operatorOf(actor));
  if (changed !== undefined) return changed;
  const ended = await readJob(ports, actor, id);
  if ((JSON.parse(ended.text) as { state: string }).state !== 'cancelled') throw notInState('has ended');
  return ended;
}

/** Queues a dead job again. @throws Problem `not_found`; `conflict` unless the job is dead. */
export async function replayJob(
  ports: Ports,
  { actor, id, reason }: { actor: JobActor; id: string; reason: string },
): Promise<JobDocument> {
  const replayed = await ports.jobs.replay({ id, limit: 1 }, { ...operatorOf(actor), reason });
  const job = await readJob(ports, actor, id);
  if (replayed === 0) throw notInState('is not dead');
  return job;
}

/** Queues dead jobs again. `more` is true when further jobs may match. */
export async function replayJobs(ports: Ports, actor: JobActor, { filter, reason, limit }: Batch) {
  const replayed = await ports.jobs.replay({ ...filter, limit }, { ...operatorOf(actor), reason });
  return { replayed, more: replayed === limit };
}

/** Cancels dead jobs permanently. */
export async function dropJobs(ports: Ports, actor: JobActor, { filter, reason, limit }: Batch) {
  const dropped = await ports.jobs.drop({ ...filter, limit }, { ...operatorOf(actor), reason });
  return { dropped, more: dropped === limit };
}

function operatorOf(actor: JobActor): Omit<Operator, 'reason'> {
  return { name: actorName(actor), userId: actor.kind === 'user' ? actor.id : null };
}

function notInState(what: string): Problem {
  return problem('conflict', `The job ${what}.`);
}
