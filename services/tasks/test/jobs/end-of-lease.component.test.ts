import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { longestPauseMs } from '../../src/domain/jobs/back-off.ts';
import { afterLease, type Ending, type Leased } from '../../src/domain/jobs/end-of-lease.ts';
import { migrations } from '../../src/migrations.ts';
import { expireLeases } from '../../src/postgres/jobs/reap.ts';
import { settleJobs } from '../../src/postgres/jobs/settle.ts';

const cancellations = [
  { cancelRequested: false, cancelIsFinal: false },
  { cancelRequested: true, cancelIsFinal: false },
  { cancelRequested: true, cancelIsFinal: true },
];

/** Jobs with values on both sides of each limit, in all combinations. */
const jobs: Leased[] = [0, 1, 2].flatMap((attempts) =>
  [0, 1, 2].flatMap((crashes) =>
    [0, 9].flatMap((undelivered) =>
      cancellations.flatMap((cancellation) =>
        [true, false].map((isConfirmed) => ({
          ...{ attempts, maxAttempts: 2, crashes, undelivered, isConfirmed },
          ...cancellation,
        })),
      ),
    ),
  ),
);
const endings: Ending[] = [
  { kind: 'completed' },
  { kind: 'failed', isFinal: false, retryAfterMs: null },
  { kind: 'failed', isFinal: false, retryAfterMs: 60_000 },
  { kind: 'failed', isFinal: true, retryAfterMs: null },
  { kind: 'released' },
  { kind: 'expired' },
];

const hourMs = 3_600_000;
/** The time that a test takes on a busy machine. */
const slowMs = 20_000;

const insert = `
  INSERT INTO jobs (queue, kind, payload, payload_bytes, state, priority, run_at, rank_at, max_attempts, attempts, crashes, undelivered,
    cancel_requested, cancel_is_final, is_confirmed, fence, lease_ms, lease_expires_at, leased_at, created_by)
  SELECT 'q', 'test', '{}', 2, 'leased', 3, now() - interval '1 hour', now() - interval '63 minutes', 2, attempts, crashes, undelivered,
    "cancelRequested", "cancelIsFinal", "isConfirmed", nextval('job_fences'), 30000, now() - interval '1 second', now(), 'test'
  FROM json_to_recordset($1) AS job (attempts integer, crashes integer, undelivered integer, "cancelRequested" boolean, "cancelIsFinal" boolean,
    "isConfirmed" boolean)
  RETURNING id, fence`;

describe('The end of a lease, as the database decides it', () => {
  let database: TestDatabase;
  before(async () => (database = await testDatabase(migrations)));
  after(async () => await database.drop());

  for (const ending of endings) {
    it(`follows the rule for every job: ${Object.values(ending).join(', ')}`, async () => {
      const { pool } = database.db;
      await query(pool, 'TRUNCATE jobs, job_attempts');
      const leased = await query<{ id: string; fence: string }>(pool, insert, [JSON.stringify(jobs)]);
      if (ending.kind === 'expired') await query(pool, { ...expireLeases, values: [0, 0, '{}', []] });
      else await query(pool, { ...settleJobs, values: [...valuesOf(leased, ending), ['q'], '{}'] });
      const rows = await query<Row>(pool, afterwards);
      const found = new Map(rows.map((row) => [row.id, row]));
      for (const [place, job] of jobs.entries()) {
        const next = afterLease(job, ending);
        const row = found.get(leased[place]?.id ?? '');
        const { pause_ms: pauseMs = NaN, ...rest } = row ?? {};
        const isAttempt = ['completed', 'failed', 'crashed'].includes(next.outcome);
        expect(rest, JSON.stringify(job)).to.include({
          ...{ state: next.state, reason: next.reason, outcome: next.outcome, fence: null },
          attempts: job.attempts + (isAttempt ? 1 : 0),
          crashes: job.crashes + (next.outcome === 'crashed' ? 1 : 0),
          undelivered: job.undelivered + (next.outcome === 'undelivered' ? 1 : 0),
          is_settled: ['succeeded', 'dead', 'cancelled'].includes(next.state),
          rank_s: 180,
        });
        // several readings of the clock
        const longestMs = next.pauseMs ?? -hourMs;
        expect(pauseMs).to.be.within((next.isRandom ? 0 : longestMs) - slowMs, longestMs + slowMs);
      }
    });
  }

  it('waits longer after each failure, from 5 s to an hour', () => {
    expect([1, 2, 3, 10, 11, 1_000].map(longestPauseMs)).to.deep.equal([
      5_000, 10_000, 20_000, 2_560_000, 3_600_000, 3_600_000,
    ]);
  });
});

type Row = { id: string; pause_ms: number; state: string };

const afterwards = `
  SELECT job.id, job.state, job.reason, job.fence, job.attempts, job.crashes, job.undelivered, job.settled_at IS NOT NULL AS is_settled,
    attempt.outcome, extract(epoch FROM job.run_at - attempt.ended_at)::float8 * 1000 AS pause_ms,
    round(extract(epoch FROM job.run_at - job.rank_at))::integer AS rank_s
  FROM jobs job JOIN job_attempts attempt ON attempt.job_id = job.id`;

function valuesOf(leased: readonly { id: string; fence: string }[], ending: Ending): unknown[] {
  const all = <T>(value: T) => leased.map(() => value);
  return [
    leased.map(({ id }) => id),
    leased.map(({ fence }) => fence),
    all(ending.kind),
    all(ending.kind === 'failed' && ending.isFinal),
    all(ending.kind === 'failed' ? ending.retryAfterMs : null),
    leased.map(() => Math.random()),
    all(null),
    all(null),
  ];
}
