import { query, type Queryable } from '@taskwire/postgres';
import { metricsOnce, type Telemetry } from '@taskwire/telemetry';
import { Counter, Gauge } from 'prom-client';
import { firstOfKeys } from './queued-keys.ts';

/** A queue is counted up to this number: an alert needs no more, and counting a backlog of a million takes half a second. */
const mostCounted = 10_000;
/** Scrapes within this time get the same values. */
const freshMs = 5_000;
/** The share of time that measurements may take: while a snapshot is held, each passes over the entries of all jobs that were claimed since. */
const share = 0.03;

/** Keys whose first jobs are compared to find a queue's first due job: about 5 ms of look-ups. */
const mostKeys = 1_000;

/** Due jobs are in two indexes: those without a concurrency key, and those with one. */
const withoutKey = "state = 'queued' AND concurrency_key IS NULL";
const withKey = "state = 'queued' AND concurrency_key IS NOT NULL";

/** The queues in one of these indexes, found with one probe for each queue instead of reading the backlog. */
function queuesSql(name: string, due: string): string {
  return `${name} AS (
    (SELECT queue FROM jobs WHERE ${due} ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT next.queue FROM ${name} CROSS JOIN LATERAL (
      SELECT queue FROM jobs WHERE ${due} AND queue > ${name}.queue ORDER BY queue LIMIT 1
    ) next
  )`;
}

/** Counts the due, leased and dead jobs of each queue, and reads the age of the first due one. */
const measure = `
  WITH RECURSIVE ${queuesSql('plain', withoutKey)}, ${queuesSql('keyed', withKey)},
  waiting AS (SELECT queue FROM plain UNION SELECT queue FROM keyed)
  SELECT queue, 'queued' AS state, (
      SELECT count(*) FROM (
        SELECT FROM jobs WHERE ${withoutKey} AND queue = waiting.queue
        UNION ALL
        SELECT FROM jobs WHERE ${withKey} AND queue = waiting.queue
        LIMIT ${mostCounted}
      ) AS counted
    )::integer AS count, (
      SELECT extract(epoch FROM clock_timestamp() - run_at)::float8 FROM (
        (SELECT rank_at, run_at FROM jobs WHERE ${withoutKey} AND queue = waiting.queue ORDER BY rank_at, id LIMIT 1)
        UNION ALL
        (SELECT rank_at, run_at FROM (${firstOfKeys('waiting.queue', "''", mostKeys)}) AS key)
      ) AS first ORDER BY rank_at LIMIT 1
    ) AS oldest
  FROM waiting
  UNION ALL
  SELECT queue, 'leased', count(*)::integer, NULL FROM (SELECT queue FROM jobs WHERE fence IS NOT NULL LIMIT ${mostCounted}) AS leased GROUP BY queue
  UNION ALL
  SELECT queue, 'dead', count(*)::integer, NULL FROM (SELECT queue FROM jobs WHERE state = 'dead' LIMIT ${mostCounted}) AS dead GROUP BY queue`;

type Row = { queue: string; state: string; count: number; oldest: number | null };

/** Measures the queues when metrics are read. */
export function observeQueues(db: Queryable, { metrics, logger }: Telemetry): void {
  let measured: Promise<readonly Row[]> = Promise.resolve([]);
  let nextAt = -Infinity;

  /** Both metrics get the rows of one statement, whichever is read first. */
  async function rows(): Promise<readonly Row[]> {
    const at = performance.now();
    if (at >= nextAt) {
      nextAt = at + freshMs;
      measured = query<Row>(db, measure).then(
        (found) => {
          nextAt = Math.max(nextAt, at + (performance.now() - at) / share);
          return found;
        },
        (error: unknown) => {
          // an unavailable database must not fail the whole scrape
          logger.warn('could not measure the queues of jobs', { error });
          return [];
        },
      );
    }
    return await measured;
  }

  const reaped = reapedCounter(metrics);

  new Gauge({
    name: 'jobs',
    help: `Jobs by queue and state: queued (due), leased, dead. Counted up to ${mostCounted}. Alert when dead is not 0.`,
    labelNames: ['queue', 'state'],
    registers: [metrics],
    async collect() {
      const found = await rows();
      // a queue that is empty has no row
      this.reset();
      for (const { queue, state, count } of found) this.set({ queue, state }, count);
      // the series exist before the first lease expires, because the increase of a series that appears with a burst would miss it
      for (const { queue, state } of found)
        if (state === 'leased') for (const next of statesAfterLease) reaped.inc({ queue, state: next }, 0);
    },
  });
  new Gauge({
    name: 'jobs_oldest_queued_seconds',
    help: 'How long the first due job of each queue has been due. Alert above an hour, or above what the users of the queue expect.',
    labelNames: ['queue'],
    registers: [metrics],
    async collect() {
      const found = await rows();
      this.reset();
      for (const { queue, oldest } of found) if (oldest !== null) this.set({ queue }, oldest);
    },
  });
}

/** The states that follow an expired lease (`afterLease`). */
const statesAfterLease = ['queued', 'scheduled', 'dead', 'cancelled'] as const;

/** Counts the leases that the reaper of this process ended. */
export const reapedCounter = metricsOnce(
  (registry) =>
    new Counter({
      name: 'jobs_reaped_total',
      help: 'Leases that expired, by queue and the state that followed: queued, scheduled, dead or cancelled. Alert when it rises steadily.',
      labelNames: ['queue', 'state'],
      registers: [registry],
    }),
);
