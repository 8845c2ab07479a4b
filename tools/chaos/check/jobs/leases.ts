import type { Evidence } from '../../evidence.ts';
import type { AttemptRow, JobAct } from '../../job-evidence.ts';
import { compare } from '../event-order.ts';
import { broken, type Violation } from '../violation.ts';

/** A job has one lease at a time, each lease ends once: by its worker, or after it expired; and a worker stops before its lease ends. */
export function checkLeases({ jobActs, world }: Evidence): Violation[] {
  const attempts = new Map(world.jobAttempts.map((attempt) => [attempt.fence, attempt]));
  const leases = jobActs.filter((act) => act.kind === 'lease');
  return [
    ...broken('a job has one lease at a time', [
      ...leases.map((lease) => vanishedLease(lease, attempts)),
      ...[...Map.groupBy(leases, ({ fence }) => fence)].map(sharedFence),
      ...[...Map.groupBy(world.jobAttempts, ({ job_id }) => job_id).values()].flatMap(overlaps),
    ]),
    ...broken('live leases are kept', endedEarly(jobActs, world.jobAttempts)),
    ...broken('workers stop before their leases end', jobActs.map(outliving(expiriesOf(jobActs)))),
    ...broken('jobs are settled once', [
      ...settledTwice(world.jobAttempts),
      ...jobActs.map((act) => act.kind === 'settle' && wrongSettlement(act, attempts)),
      ...world.jobs.map(({ id, name, state }) => {
        const completed = world.jobAttempts.filter(({ job_id, outcome }) => job_id === id && outcome === 'completed');
        const isRight = (state === 'succeeded') === completed.length > 0;
        return !isRight && `job ${id} (${name}) is ${state}, and ${completed.length} of its leases were completed`;
      }),
    ]),
  ];
}

/** A lease that was replaced by another one has no recorded end. */
function vanishedLease(
  { jobId, fence, worker }: Extract<JobAct, { kind: 'lease' }>,
  attempts: ReadonlyMap<number, AttemptRow>,
): string | false {
  const ended = attempts.get(fence);
  return ended?.job_id !== jobId && `${worker} got the lease ${fence} of job ${jobId}, which never ended`;
}

function sharedFence([fence, leases]: [number, { jobId: string; worker: string }[]]): string | false {
  const holders = new Set(leases.map(({ jobId, worker }) => `${worker} for job ${jobId}`));
  return holders.size > 1 && `the fence ${fence} was given to ${[...holders].join(' and ')}`;
}

function overlaps(attempts: readonly AttemptRow[]): string[] {
  const inOrder = attempts.toSorted((a, b) => compare(a.leased_at, b.leased_at));
  return inOrder.flatMap((attempt, index) => {
    const before = inOrder[index - 1];
    if (before === undefined || before.ended_at <= attempt.leased_at) return [];
    return [
      `job ${attempt.job_id} was leased at ${attempt.leased_at} (${attempt.fence}) until ${before.ended_at} (${before.fence})`,
    ];
  });
}

/** The latest time until which each lease was valid, as reported to its worker, by the database's clock. */
function expiriesOf(acts: readonly JobAct[]): Map<number, string> {
  const expiry = new Map<number, string>();
  for (const act of acts) {
    if ((act.kind !== 'lease' && act.kind !== 'heartbeat') || act.expiresAt === null) continue;
    if (act.expiresAt > (expiry.get(act.fence) ?? '')) expiry.set(act.fence, act.expiresAt);
  }
  return expiry;
}

/** A worker whose process was not paused knows when its lease ends, even if it is cut off. The clock of the machine is also that of the database. */
function outliving(expiry: ReadonlyMap<number, string>): (act: JobAct) => string | false {
  return (act) => {
    if (act.kind !== 'write' || act.wasPaused !== false) return false;
    const until = expiry.get(act.fence);
    if (until === undefined || Date.parse(act.at) <= Date.parse(until)) return false;
    return `job ${act.jobId} was still worked on at ${act.at} with the lease ${act.fence}, which was valid until ${until}`;
  };
}

function endedEarly(acts: readonly JobAct[], attempts: readonly AttemptRow[]): (string | false)[] {
  const expiry = expiriesOf(acts);
  const beats = acts.filter((act) => act.kind === 'heartbeat').filter(({ expiresAt }) => expiresAt !== null);
  const confirmed = new Set(beats.map(({ fence }) => fence));
  return attempts.map(({ fence, job_id, outcome, ended_at }) => {
    if (outcome !== 'crashed' && outcome !== 'undelivered') return false;
    const until = expiry.get(fence);
    const text = `the lease ${fence} of job ${job_id} ended as ${outcome} at ${ended_at}`;
    if (until !== undefined && ended_at < until) return `${text}, although it was valid until ${until}`;
    return outcome === 'undelivered' && confirmed.has(fence) && `${text}, although its worker sent a heartbeat`;
  });
}

function settledTwice(attempts: readonly AttemptRow[]): (string | false)[] {
  const completed = Map.groupBy(
    attempts.filter(({ outcome }) => outcome === 'completed'),
    ({ job_id }) => job_id,
  );
  return [...completed].map(
    ([jobId, ends]) =>
      ends.length > 1 && `job ${jobId} was completed ${ends.length} times (${ends.map(({ fence }) => fence).join()})`,
  );
}

/** The response to a settlement says how the lease ended. */
function wrongSettlement(
  { jobId, fence, ending, outcome }: Extract<JobAct, { kind: 'settle' }>,
  attempts: ReadonlyMap<number, AttemptRow>,
): string | false {
  const ended = attempts.get(fence)?.outcome;
  // reported as a lease that vanished
  if (outcome === 'unknown' || ended === undefined) return false;
  const isRight = (outcome === 'settled') === (ended === ending);
  return !isRight && `the lease ${fence} of job ${jobId} was ${ending} (${outcome}), and ended as ${ended}`;
}
