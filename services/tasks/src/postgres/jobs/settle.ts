import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import { isoMicros, query, type Database } from '@taskwire/postgres';
import type { JobHints, JobLeases, SettledJob, Settlement } from '../../app/jobs/ports.ts';
import { endLeaseSql, leaseColumns } from './end-lease-sql.ts';
import { hasFollowed } from './follow-jobs.ts';
import { sendHints, type QueuedRow } from './hints.ts';

/**
 * Ends leases. It finds each row by id and compares the fence alone, and locks the rows in the order of ids first, as `extendLeases` does: a test had
 * 54 deadlocks without this, and none with it.
 */
export const settleJobs = {
  name: 'jobs.settle',
  text: `
  WITH locked AS MATERIALIZED (
    SELECT ${leaseColumns}, given.verb, given.is_final, given.retry_after_ms, given.jitter, given.result, given.error
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::boolean[], $5::float8[], $6::float8[], $7::text[], $8::text[])
      AS given (id, fence, verb, is_final, retry_after_ms, jitter, result, error) JOIN jobs job ON job.id = given.id
    WHERE job.fence = given.fence AND job.queue = ANY ($9::text[])
    ORDER BY job.id FOR UPDATE OF job
  ), ${endLeaseSql('locked', '$10')}
  SELECT fence, answer, queue, state, ${isoMicros('rank_at')} AS rank_at, has_dependents, concurrency_key, ${hasFollowed} FROM ended`,
};

/** The saved responses to settlements of leases that have ended, unless they expired. */
export const readAnswers = {
  name: 'jobs.read_answers',
  text: `
  SELECT attempt.fence, attempt.answer
  FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS given (id, fence, verb)
    JOIN job_attempts attempt ON attempt.fence = given.fence AND attempt.job_id = given.id AND attempt.outcome = given.verb
    JOIN jobs job ON job.id = given.id AND job.queue = ANY ($4::text[])`,
};

type Answer = { fence: string; answer: SettledJob };

export function settlingJobs(db: Database, hints: JobHints): JobLeases['settle'] {
  return async (settlements, queues) => {
    const values = [...valuesOf(settlements), queues, eventHeaders()];
    const rows = await runWithEvents<Answer & QueuedRow>(db, { ...settleJobs, values });
    sendHints(hints, rows);
    const answers = new Map(rows.map(({ fence, answer }) => [fence, answer]));
    const ended = settlements.filter(({ lease }) => !answers.has(lease.fence));
    if (ended.length === 0) return answers;
    // a later statement, because a concurrent settlement may have committed since
    const [ids, fences, verbs] = valuesOf(ended);
    const earlier = await query<Answer>(db.pool, { ...readAnswers, values: [ids, fences, verbs, queues] });
    for (const { fence, answer } of earlier) answers.set(fence, answer);
    return answers;
  };
}

function valuesOf(settlements: readonly Settlement[]): unknown[] {
  const endings = settlements.map(({ ending }) => ending);
  return [
    settlements.map(({ lease }) => lease.id),
    settlements.map(({ lease }) => lease.fence),
    endings.map(({ kind }) => kind),
    endings.map((ending) => ending.kind === 'failed' && ending.isFinal),
    endings.map((ending) => (ending.kind === 'failed' ? ending.retryAfterMs : null)),
    settlements.map(() => Math.random()),
    settlements.map(({ result }) => result ?? null),
    settlements.map(({ error }) => error ?? null),
  ];
}
