import { schemas } from '@taskwire/contracts';
import type { KnownQueues } from '../../app/jobs/known-queues.ts';
import type { Operation } from './perform.ts';

/**
 * Judges the queues of all jobs that these operations create, once and before any transaction. The result answers only about these queues. Members may
 * create no jobs, whatever the queue is.
 */
export async function judgeQueues(
  knownQueues: KnownQueues,
  { role }: { role: string },
  operations: readonly Operation[],
): Promise<KnownQueues> {
  const names = role === 'member' ? [] : operations.map(queueOf).filter((queue) => queue !== undefined);
  const unknown = await knownQueues.unknownAmong([...new Set(names)]);
  return { unknownAmong: async (asked) => new Set(asked.filter((name) => unknown.has(name))) };
}

/** The body of an operation is parsed only when it is carried out, so an invalid name is left to that. */
function queueOf({ op, body }: Operation): string | undefined {
  const job = op === 'create' ? body?.['job'] : undefined;
  if (typeof job !== 'object' || job === null || !('queue' in job)) return undefined;
  return schemas.queueName.safeParse(job.queue).data;
}
