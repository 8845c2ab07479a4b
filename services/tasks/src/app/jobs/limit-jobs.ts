import type { tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { actorName } from '../../domain/jobs/permissions.ts';
import { findUnknownQueue, type KnownQueues } from './known-queues.ts';
import type { JobLimit, JobLimiting } from './ports.ts';

type Route = typeof tasksRoutes.setJobLimit;
type Response = z.input<Route['responses'][200]>;
type Ports = { jobs: JobLimiting; knownQueues: KnownQueues };
type Command = { actor: { kind: 'user'; id: string }; queue: string; key: string; input: z.output<Route['body']> };

/**
 * Sets or removes the limits of a key. Limits of a queue whose client was removed can still be removed. @throws Problem `unknown_queue`: limits of a
 * misspelt queue would have no effect.
 */
export async function setJobLimit(
  { jobs, knownQueues }: Ports,
  { actor, queue, key, input }: Command,
): Promise<Response> {
  const { max_running: maxRunning, rate } = input;
  const isLimited = maxRunning !== null || rate !== null;
  const fault = isLimited ? await findUnknownQueue(knownQueues, [{ field: 'queue', queue }]) : undefined;
  if (fault !== undefined) throw fault;
  const limit = { maxRunning, rate: rate === null ? null : { n: rate.n, perMs: rate.per * 1_000 } };
  await jobs.setLimit(queue, key, limit, actorName(actor));
  return toResponse({ key, ...limit });
}

/** Lists the limits of a queue. */
export async function listJobLimits({ jobs }: Pick<Ports, 'jobs'>, queue: string): Promise<{ data: Response[] }> {
  return { data: (await jobs.listLimits(queue)).map(toResponse) };
}

function toResponse({ key, maxRunning, rate }: { key: string } & JobLimit): Response {
  return { key, max_running: maxRunning, rate: rate === null ? null : { n: rate.n, per: rate.perMs / 1_000 } };
}
