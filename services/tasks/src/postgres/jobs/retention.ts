import { deleteInBatches, type TableRetention } from '@taskwire/postgres';

export type JobPeriods = {
  /** Days that a job is kept after it has succeeded or was cancelled. */
  settledJobDays: number;
  /** Days that a dead job is kept. */
  deadJobDays: number;
  /** Days that entries of the audit are kept. */
  jobAuditDays: number;
};

/** Rows per batch: about 20 ms of work, since each job has entries in several indexes. */
const batch = 1_000;

/** The retention of the tables of jobs. */
export function jobRetention({ settledJobDays, deadJobDays, jobAuditDays }: JobPeriods): TableRetention {
  const jobs = (o: { name: string; states: string; days: number; keeps: string; because: string }) =>
    deleteInBatches({
      ...{ table: 'jobs', name: o.name, keeps: o.keeps, because: o.because, orderBy: 'settled_at', batch },
      // dependents must be resolved first
      where: `state IN (${o.states}) AND settled_at < now() - make_interval(days => $1::integer) AND NOT has_dependents`,
      values: () => [o.days],
      dueAt: 'settled_at + make_interval(days => $1::integer)',
    });
  return {
    rules: [
      jobs({
        ...{ name: 'jobs', states: "'succeeded', 'cancelled'", days: settledJobDays },
        keeps: `${settledJobDays} days after it succeeded or was cancelled (SETTLED_JOB_DAYS)`,
        because: 'those who enqueued it read its result; there may be millions a day',
      }),
      jobs({
        ...{ name: 'dead jobs', states: "'dead'", days: deadJobDays },
        keeps: `${deadJobDays} days after it died (DEAD_JOB_DAYS)`,
        because: 'an operator replays or drops it',
      }),
      deleteInBatches({
        table: 'job_attempts',
        keeps: `${settledJobDays} days after the lease ended (SETTLED_JOB_DAYS)`,
        because: 'a worker that repeats a settlement gets the first response, and operators see which worker had a job',
        where: 'ended_at < now() - make_interval(days => $1::integer)',
        values: () => [settledJobDays],
        orderBy: 'ended_at',
        dueAt: 'ended_at + make_interval(days => $1::integer)',
        batch,
      }),
      deleteInBatches({
        table: 'job_claims',
        keeps: 'an hour after the lease of the claim',
        because: 'the same claim gets the same jobs only within the lease',
        where: "expires_at < now() - interval '1 hour'",
        orderBy: 'expires_at',
        dueAt: "expires_at + interval '1 hour'",
        batch,
      }),
      deleteInBatches({
        table: 'job_audit',
        keeps: `${jobAuditDays} days (DEAD_LETTER_AUDIT_DAYS)`,
        because: 'operators see who replayed or dropped a job; as long as the audit of dead letters',
        where: 'at < now() - make_interval(days => $1::integer)',
        values: () => [jobAuditDays],
        orderBy: 'at',
        dueAt: 'at + make_interval(days => $1::integer)',
        batch,
      }),
      deleteInBatches({
        table: 'job_keys',
        keeps: 'two days after a job of the key was last started',
        because: 'it holds the allowance of a rate, whose longest period is a day',
        where: "served_at < now() - interval '2 days'",
        orderBy: 'served_at',
        dueAt: "greatest(served_at, '2026-01-01') + interval '2 days'",
        batch,
      }),
    ],
    kept: {
      job_limits: 'one row for each limit that an admin has set',
      job_dependencies: 'a row leaves when its predecessor has been settled',
      job_reaper: 'one row: the time of the last search for expired leases',
      job_contact: 'one row: the time of the last request of any worker',
    },
  };
}
