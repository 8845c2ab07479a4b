import { problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import { hasQueue, type JobActor } from '../../domain/jobs/permissions.ts';
import type { JobDocument, JobReads } from './ports.ts';

/** Reads a job. A client can't see jobs of other clients' queues. @throws Problem `not_found`. */
export async function readJob(
  { jobs }: { jobs: JobReads },
  actor: JobActor,
  id: string,
  tx?: Tx,
): Promise<JobDocument> {
  const job = await jobs.readJob(id, tx);
  if (job === undefined || !hasQueue(actor, job.queue)) throw problem('not_found', 'There is no job with this id.');
  return { text: job.text };
}
