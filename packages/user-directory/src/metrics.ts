import { query, type Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { Counter, Gauge } from 'prom-client';
import type { FetchOutcome } from './fetching.ts';

export type DirectoryMetrics = {
  fetched(outcome: FetchOutcome | 'failed'): void;
  /** Counts users corrected by a reconciliation although no event had announced the change. */
  drifted(users: number): void;
  /** Counts users whom a reconciliation introduced because no event had announced their creation. */
  missed(users: number): void;
};

const countRows = `
  SELECT
    count(*) FILTER (WHERE NOT is_deleted AND fetched_at IS NOT NULL)::integer AS active,
    count(*) FILTER (WHERE is_deleted)::integer AS deleted,
    count(*) FILTER (WHERE NOT is_deleted AND fetched_at IS NULL)::integer AS unknown,
    count(stale_since)::integer AS stale,
    count(deletion_claimed_at)::integer AS claimed,
    coalesce(extract(epoch FROM clock_timestamp() - min(stale_since)), 0)::float8 AS "oldestStale",
    (SELECT extract(epoch FROM clock_timestamp() - completed_at) FROM directory_reconciliation)::float8 AS "reconciliationAge"
  FROM directory_users`;

type Counts = {
  active: number;
  deleted: number;
  unknown: number;
  stale: number;
  claimed: number;
  oldestStale: number;
  reconciliationAge: number | null;
};

/** Counting 100,000 rows takes about 15 ms; the gauges of one scrape, and scrapes within this time, share one count. In milliseconds. */
const countEveryMs = 1_000;

export function createDirectoryMetrics(db: Database, { metrics, logger }: Telemetry): DirectoryMetrics {
  const registers = [metrics];
  const fetches = new Counter({
    name: 'user_directory_fetches_total',
    help: 'Fetches of stale users by outcome. Alert when denied rises: an event announced a deletion that never happened.',
    labelNames: ['outcome'],
    registers,
  });
  // the increase of a series that appears with a denied deletion would miss it
  fetches.inc({ outcome: 'denied' }, 0);
  const drift = new Counter({
    name: 'user_directory_drift_total',
    help: 'Users that a reconciliation corrected although no event had announced the change: lost events.',
    registers,
  });
  const missed = new Counter({
    name: 'user_directory_missed_users_total',
    help: 'Users whose creation no event had announced, and who were introduced by a reconciliation. Alert on it: events were lost.',
    registers,
  });
  let counting: Promise<Counts | undefined> | undefined;
  let countedAt = Number.NEGATIVE_INFINITY;

  /** A scrape must not fail as a whole because the database is unavailable; the gauges then keep their last values. */
  async function count(): Promise<Counts | undefined> {
    try {
      const [counts] = await query<Counts>(db.pool, countRows);
      return counts;
    } catch (error) {
      logger.warn('the user directory could not be counted', { error });
      return undefined;
    }
  }

  function gauge(name: string, help: string, show: (gauge: Gauge, counts: Counts) => void, labelNames: string[] = []) {
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      async collect() {
        const now = performance.now();
        if (counting === undefined || now - countedAt >= countEveryMs) {
          countedAt = now;
          counting = count();
        }
        const counts = await counting;
        if (counts !== undefined) show(this, counts);
      },
    });
  }

  gauge(
    'user_directory_users',
    'Users of the directory: active, deleted, and unknown ones that are known only from events.',
    (users, { active, deleted, unknown }) => {
      users.set({ state: 'active' }, active);
      users.set({ state: 'deleted' }, deleted);
      users.set({ state: 'unknown' }, unknown);
    },
    ['state'],
  );
  gauge('user_directory_stale_users', 'Users waiting to be fetched.', (users, { stale }) => users.set(stale));
  gauge(
    'user_directory_claimed_deletions',
    'Users whose deletion an event claims, and Auth has neither confirmed nor denied.',
    (users, { claimed }) => users.set(claimed),
  );
  gauge(
    'user_directory_oldest_stale_seconds',
    'How long the oldest stale user has been waiting to be fetched.',
    (age, { oldestStale }) => age.set(oldestStale),
  );
  gauge(
    'user_directory_reconciliation_age_seconds',
    'Time since the directory was last compared with Auth; NaN when it never was.',
    (age, { reconciliationAge }) => age.set(reconciliationAge ?? Number.NaN),
  );
  return {
    fetched: (outcome) => fetches.inc({ outcome }),
    drifted: (users) => drift.inc(users),
    missed: (users) => missed.inc(users),
  };
}
