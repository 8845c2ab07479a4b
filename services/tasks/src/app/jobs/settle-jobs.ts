import type { tasksRoutes } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { z } from 'zod';
import { readLeaseToken, type Lease } from '../../domain/jobs/lease-token.ts';
import type { JobLeases, SettledJob, Settlement } from './ports.ts';

type Batch = typeof tasksRoutes.settleJobs;
type Item = z.output<Batch['body']>['items'][number];
type Ports = { jobs: JobLeases };

/** Settles leases of a worker, each with its own outcome. */
export async function settleJobs(
  { jobs }: Ports,
  { queues, input }: { queues: readonly string[]; input: readonly Item[] },
): Promise<z.input<Batch['responses'][200]>> {
  await jobs.heard();
  const settlements = input.map(toSettlement);
  const settled = await jobs.settle(settlements, queues);
  return {
    data: settlements.map(({ lease }, place) => {
      const lease_token = input[place]?.lease_token ?? '';
      const state = settled.get(lease.fence);
      return state === undefined
        ? { lease_token, outcome: 'lease_lost' }
        : { lease_token, outcome: 'settled', ...state };
    }),
  };
}

/** Settles one lease. @throws Problem `lease_lost`; `invalid_input` for the lease of another job. */
export async function settleJob(
  { jobs }: Ports,
  { queues, jobId, input }: { queues: readonly string[]; jobId: string; input: Item },
): Promise<{ id: string } & SettledJob> {
  const settlement = toSettlement(input);
  requireLeaseOf(jobId, settlement.lease);
  await jobs.heard();
  const state = (await jobs.settle([settlement], queues)).get(settlement.lease.fence);
  if (state === undefined) throw problem('lease_lost', 'The job may have another worker now; drop its result.');
  return { id: jobId, ...state };
}

function requireLeaseOf(jobId: string, { id }: Lease): void {
  if (id === jobId) return;
  const message = 'must be the lease of the job in the path';
  throw problem('invalid_input', `Invalid fields: lease_token. lease_token ${message}.`, {
    errors: [{ field: 'lease_token', code: 'other_job', message }],
  });
}

function toSettlement(item: Item): Settlement {
  const lease = readLeaseToken(item.lease_token);
  if ('complete' in item) {
    const { result } = item.complete;
    return {
      lease,
      ending: { kind: 'completed' },
      ...(result === undefined ? {} : { result: JSON.stringify(result) }),
    };
  }
  if ('release' in item) return { lease, ending: { kind: 'released' } };
  const { code, message, final, retry_after } = item.fail;
  return {
    lease,
    ending: { kind: 'failed', isFinal: final, retryAfterMs: retry_after === undefined ? null : retry_after * 1_000 },
    error: JSON.stringify({ code, message }),
  };
}
