import type { Evidence } from '../../evidence.ts';
import type { AttemptRow, JobAct } from '../../job-evidence.ts';
import { compare } from '../event-order.ts';
import { broken, type Violation } from '../violation.ts';

/**
 * A lease ends only by a settlement with its own fence, and fences grow with each lease of a job, so that a store which compares them rejects the writes
 * of earlier workers and accepts those of the current one.
 */
export function checkFences({ jobActs, world }: Evidence): Violation[] {
  const names = new Map(world.jobs.map(({ id, name }) => [id, name]));
  const results = new Map(world.jobs.map(({ id, result_fence }) => [id, result_fence]));
  const settlements = Map.groupBy(
    jobActs.filter((act) => act.kind === 'settle'),
    ({ fence }) => fence,
  );
  const ours = world.jobAttempts.filter(({ job_id }) => (names.get(job_id) ?? null) !== null);
  const writes = jobActs.filter((act) => act.kind === 'write');
  return broken('stale fences have no effect', [
    ...ours.map((attempt) => unrequestedEnd(attempt, settlements.get(attempt.fence) ?? [])),
    ...ours.map(({ job_id, fence, outcome }) => {
      const isForeign = outcome === 'completed' && results.get(job_id) !== fence;
      return isForeign && `job ${job_id} was completed by lease ${fence}, with the result of ${results.get(job_id)}`;
    }),
    ...[...Map.groupBy(ours, ({ job_id }) => job_id)].flatMap(([jobId, attempts]) =>
      wrongWrites(
        attempts.toSorted((a, b) => compare(a.leased_at, b.leased_at)),
        writes.filter((write) => write.jobId === jobId),
      ),
    ),
  ]);
}

type Settle = Extract<JobAct, { kind: 'settle' }>;

/** All times are from the machine's one clock, so a settlement was sent before the lease that it ended had ended. */
function unrequestedEnd({ fence, job_id, outcome, ended_at }: AttemptRow, sent: readonly Settle[]): string | false {
  if (outcome === 'crashed' || outcome === 'undelivered') return false;
  const isRequested = sent.some(
    ({ jobId, ending, sentAt }) => jobId === job_id && ending === outcome && Date.parse(sentAt) <= Date.parse(ended_at),
  );
  return (
    !isRequested &&
    `the lease ${fence} of job ${job_id} was ${outcome} at ${ended_at}, which its worker did not request`
  );
}

function wrongWrites(
  attempts: readonly AttemptRow[],
  writes: readonly Extract<JobAct, { kind: 'write' }>[],
): (string | false)[] {
  const placeOf = (fence: number) => attempts.findIndex((attempt) => attempt.fence === fence);
  let latest = -1;
  return writes.map(({ jobId, fence, accepted, at }) => {
    const place = placeOf(fence);
    const text = `job ${jobId}: the write of lease ${fence} at ${at}`;
    if (!accepted) return place > latest && `${text} was rejected, although no later lease had written`;
    if (place < latest) return `${text} was accepted after that of the later lease ${attempts[latest]?.fence}`;
    latest = place;
    return false;
  });
}
