import { problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import { hasQueue, type JobActor } from '../../domain/jobs/permissions.ts';
import type { FoundJob, JobDocument, JobReads } from './ports.ts';
import type { Watchers } from './watchers.ts';

/** Reads a job. A client can't see jobs of other clients' queues. @throws Problem `not_found`. */
export async function readJob(
  { jobs }: { jobs: JobReads },
  actor: JobActor,
  id: string,
  tx?: Tx,
): Promise<JobDocument> {
  const { text } = await readableJob(jobs, actor, id, tx);
  return { text };
}

type WatchCommand = {
  id: string;
  /** The caller when the request arrived. */
  actor: JobActor;
  /** Identifies the caller again. @throws Problem if the access has ended. */
  currentActor: () => Promise<JobActor>;
  /** Whether the client has this representation already. */
  isKnown: (job: JobDocument['text']) => boolean;
  waitSeconds: number;
  /** Aborted when the client closes the connection. */
  hangUp: AbortSignal;
};

/**
 * Reads a job. If the client has this representation already, waits for another one, unless the job has ended: then only an operator can change it.
 * Only the latest representation counts; those in between may be skipped. No connection to the database is held while it waits. A caller who loses
 * access during the wait gets nothing more. @throws what `readJob` and `currentActor` throw.
 */
export async function watchJob(
  { jobs, watchers }: { jobs: JobReads; watchers: Watchers },
  { id, actor, currentActor, isKnown, waitSeconds, hangUp }: WatchCommand,
): Promise<JobDocument> {
  const until = performance.now() + waitSeconds * 1_000;
  let reader = actor;
  // joins before the first read, so that no hint is missed between a read and the wait
  const watcher = watchers.join(id);
  try {
    for (;;) {
      const { text, mark, hasEnded } = await readableJob(jobs, reader, id);
      const leftMs = until - performance.now();
      if (hasEnded || !isKnown(text) || leftMs <= 0 || hangUp.aborted || watchers.isClosed()) return { text };
      await watcher.next(mark, leftMs, hangUp);
      reader = await currentActor();
    }
  } finally {
    watcher.leave();
  }
}

async function readableJob(jobs: JobReads, actor: JobActor, id: string, tx?: Tx): Promise<FoundJob> {
  const job = await jobs.readJob(id, tx);
  if (job === undefined || !hasQueue(actor, job.queue)) throw problem('not_found', 'There is no job with this id.');
  return job;
}
