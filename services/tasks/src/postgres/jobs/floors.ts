import { isoMicros, query, type Queryable } from '@taskwire/postgres';

/**
 * Where the claims of each queue start: below its floor a queue had no due job when this process looked. While any snapshot in the database is old, the
 * index keeps the entries of all jobs that were claimed since, and a claim from the front passes over every one of them: throughput fell by 78 % without
 * a floor, and by 9 % with one, in ten minutes.
 *
 * A job may be queued below the floor: another process enqueues a job of high priority, or commits late. This process lowers the floor for the jobs
 * that it queues itself; a full scan, from the very front, finds all others. So the floor is only a hint; the full scan is the guarantee.
 */
export type Floors = {
  /** The floors of these queues. Starts a new scan when the last one is old, without waiting for it. */
  of(queues: readonly string[]): string[];
  /** Records that a job was queued with this rank. */
  lower(queue: string, rankAt: string): void;
  /** Runs a full scan now, for tests. */
  scan(queues: readonly string[]): Promise<void>;
};

/** Instants are text in the database's format, so they sort as text. */
export const lowest = '-infinity';

/** How often a floor rises: each scan costs one index probe, and the dead entries of this time lie above the floor. */
export const riseEveryMs = 100;
/** How often a scan starts further back, to find jobs that were committed late. */
export const nearEveryMs = 500;
/** The shortest time between full scans; it bounds how long a job below the floor waits. */
export const fullEveryMs = 1_000;
/** The share of time that full scans may take: each passes over every dead entry, and must stay cheap when there are many. */
export const fullShare = 0.03;

/**
 * Jobs of priority 0 get the current time as their rank. The floor is this far behind the clock, so that claims find those that another process commits
 * at once. Every claim passes over the dead entries of this time: with 2 s, these were 11,000 entries at 5,000 jobs/s.
 */
export const claimedBehindClock = "interval '100 milliseconds'";
/** A near scan starts this far behind the clock: a job that is committed or promoted this much later is found without a full scan. */
export const nearBehindClock = "interval '2 seconds'";

export const findFloors = {
  name: 'jobs.find_floors',
  text: `
  SELECT given.queue, ${isoMicros(`least(first.rank_at, now() - ${claimedBehindClock})`)} AS floor
  FROM unnest($1::text[], $2::timestamptz[], $3::boolean[]) AS given (queue, floor, is_near)
    LEFT JOIN LATERAL (
      SELECT rank_at FROM jobs
      WHERE queue = given.queue AND state = 'queued' AND concurrency_key IS NULL AND rank_at >= CASE WHEN given.is_near THEN least(given.floor, now() - ${nearBehindClock}) ELSE given.floor END
      ORDER BY rank_at, id LIMIT 1
    ) first ON true`,
};

type Known = {
  floor: string;
  scannedAt: number;
  nearAt: number;
  fullAt: number;
  fullEveryMs: number;
  loweredTo: string | undefined;
};

export function createFloors(db: Queryable, now: () => number = () => performance.now()): Floors {
  const known = new Map<string, Known>();
  let scanning = false;

  async function scan(queues: readonly string[], isDue: (entry: Known, at: number) => boolean): Promise<void> {
    const at = now();
    const entries = queues.flatMap((queue) => {
      const entry = known.get(queue) ?? {
        floor: lowest,
        scannedAt: -Infinity,
        nearAt: -Infinity,
        fullAt: -Infinity,
        fullEveryMs,
        loweredTo: undefined,
      };
      known.set(queue, entry);
      const isFull = at - entry.fullAt >= entry.fullEveryMs;
      return isDue(entry, at) ? [{ queue, entry, isFull, isNear: at - entry.nearAt >= nearEveryMs }] : [];
    });
    if (entries.length === 0) return;
    for (const { entry } of entries) Object.assign(entry, { scannedAt: at, loweredTo: undefined });
    const from = entries.map(({ entry, isFull }) => (isFull ? lowest : entry.floor));
    const rows = await query<{ queue: string; floor: string }>(db, {
      ...findFloors,
      values: [entries.map(({ queue }) => queue), from, entries.map(({ isNear }) => isNear)],
    });
    const tookMs = now() - at;
    const found = new Map(rows.map(({ queue, floor }) => [queue, floor]));
    for (const { queue, entry, isFull, isNear } of entries) {
      const floor = found.get(queue) ?? lowest;
      // the scan may have missed a job that was queued while it ran
      entry.floor = entry.loweredTo !== undefined && entry.loweredTo < floor ? entry.loweredTo : floor;
      if (isNear) entry.nearAt = at;
      if (isFull) Object.assign(entry, { fullAt: at, fullEveryMs: Math.max(fullEveryMs, tookMs / fullShare) });
    }
  }

  return {
    of(queues) {
      if (!scanning) {
        scanning = true;
        void scan(queues, (entry, at) => at - entry.scannedAt >= riseEveryMs)
          // the floors stay as they are, and the next claim scans again
          .catch(() => undefined)
          .finally(() => (scanning = false));
      }
      return queues.map((queue) => known.get(queue)?.floor ?? lowest);
    },
    lower(queue, rankAt) {
      const entry = known.get(queue);
      if (entry === undefined) return;
      if (rankAt < entry.floor) entry.floor = rankAt;
      if (entry.loweredTo === undefined || rankAt < entry.loweredTo) entry.loweredTo = rankAt;
    },
    async scan(queues) {
      for (const queue of queues) known.delete(queue);
      await scan(queues, () => true);
    },
  };
}
