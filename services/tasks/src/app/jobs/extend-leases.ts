import type { tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { readLeaseToken } from '../../domain/jobs/lease-token.ts';
import type { JobLeases } from './ports.ts';

type Route = typeof tasksRoutes.heartbeatJobs;
type Command = { queues: readonly string[]; input: z.output<Route['body']>['leases'] };
type Response = z.input<Route['responses'][200]>;

/** Extends a worker's leases and records its progress. */
export async function extendLeases({ jobs }: { jobs: JobLeases }, { queues, input }: Command): Promise<Response> {
  await jobs.heard();
  const leases = input.map(({ lease_token: token, progress }) => ({
    ...readLeaseToken(token),
    progress: progress === undefined ? null : JSON.stringify(progress),
  }));
  const extended = await jobs.extend(leases, queues);
  return {
    data: input.map(({ lease_token }) => {
      const extension = extended.get(readLeaseToken(lease_token).fence);
      if (extension === undefined) return { lease_token, outcome: 'lease_lost' };
      return {
        ...{ lease_token, outcome: 'extended', lease_ms: extension.leaseMs },
        ...{ lease_expires_at: extension.leaseExpiresAt, cancel_requested: extension.cancelRequested },
      };
    }),
  };
}
