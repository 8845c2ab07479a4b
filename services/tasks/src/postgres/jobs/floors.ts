import { isoMicros, query, type Queryable } from '@taskwire/postgres';

/**
 * Where the claims of each queue start: below its floor a queue had no due job when this process looked. While any snapshot in the database is old, the
 * index keeps the entries of all jobs that were claimed since, and a claim from the front passes over every one of them: throughput fell by 78 % without
 * a floor, and by 9 % with one, in ten minutes.
 *
 * A job may be queued below the floor: another process enqueues one of a high priority, or commits late. This process lowers the floor for the jobs that
 * it queues itself; a look from the very front finds all others. So the floor is only a hint, and a full look the guarantee.
 */
export type Floors = {
  /** The floors of these queues. Starts to look again when the last look is old, without waiting for it. */
  of(queues: readonly string[]): string[];
  /** Notes that a job was queued with this rank. */
  lower(queue: string, rankAt: string): void;
  /** Looks from the very front now, for tests. */
  look(queues: readonly string[]): Promise<void>;
};

/** Instants in the one format of the database, which sort as text. */
const lowest = '-infinity';

/** How often a floor rises: each look costs one index probe, and leaves a quarter of a second of dead entries. */
const riseEveryMs = 250;
/** How often a look starts at the very front, at most: it bounds how long a job below the floor waits. */
const fullEveryMs = 1_000;
/** A full look passes over every dead entry. It may take this share of the time, so that it costs little when there are many. */
const fullShare = 0.05;

/**
 * The floor is at least this far behind the clock. Jobs of priority 0 are queued with a rank of the present; their commit, or the promoter, may come this
 * much later without waiting for a full look.
 */
const behindClock = "interval '2 seconds'";

export const findFloors = {
  name: 'jobs.find_floors',
  text: `
  SELECT given.queue, ${isoMicros(`least(first.rank_at, now() - ${behindClock})`)} AS floor
  FROM unnest($1::text[], $2::timestamptz[]) AS given (queue, floor)
    LEFT JOIN LATERAL (
      SELECT rank_at FROM jobs
      WHERE queue = given.queue AND state = 'queued' AND concurrency_key IS NULL AND rank_at >= given.floor
      ORDER BY rank_at, id LIMIT 1
    ) first ON true`,
};

type Known = { floor: string; lookedAt: number; fullAt: number; fullEveryMs: number; loweredTo: string | undefined };

export function createFloors(db: Queryable, now: () => number = () => performance.now()): Floors {
  const known = new Map<string, Known>();
  let looking = false;

  async function look(queues: readonly string[], isDue: (entry: Known, at: number) => boolean): Promise<void> {
    const at = now();
    const entries = queues.flatMap((queue) => {
      const entry = known.get(queue) ?? {
        floor: lowest,
        lookedAt: -Infinity,
        fullAt: -Infinity,
        fullEveryMs,
        loweredTo: undefined,
      };
      known.set(queue, entry);
      return isDue(entry, at) ? [{ queue, entry, isFull: at - entry.fullAt >= entry.fullEveryMs }] : [];
    });
    if (entries.length === 0) return;
    for (const { entry } of entries) Object.assign(entry, { lookedAt: at, loweredTo: undefined });
    const from = entries.map(({ entry, isFull }) => (isFull ? lowest : entry.floor));
    const rows = await query<{ queue: string; floor: string }>(db, {
      ...findFloors,
      values: [entries.map(({ queue }) => queue), from],
    });
    const tookMs = now() - at;
    const found = new Map(rows.map(({ queue, floor }) => [queue, floor]));
    for (const { queue, entry, isFull } of entries) {
      const floor = found.get(queue) ?? lowest;
      // a job that was queued during the look may be missing from it
      entry.floor = entry.loweredTo !== undefined && entry.loweredTo < floor ? entry.loweredTo : floor;
      if (isFull) Object.assign(entry, { fullAt: at, fullEveryMs: Math.max(fullEveryMs, tookMs / fullShare) });
    }
  }

  return {
    of(queues) {
      if (!looking) {
        looking = true;
        void look(queues, (entry, at) => at - entry.lookedAt >= riseEveryMs)
          // the floors stay as they are, and the next claim looks again
          .catch(() => undefined)
          .finally(() => (looking = false));
      }
      return queues.map((queue) => known.get(queue)?.floor ?? lowest);
    },
    lower(queue, rankAt) {
      const entry = known.get(queue);
      if (entry === undefined) return;
      if (rankAt < entry.floor) entry.floor = rankAt;
      if (entry.loweredTo === undefined || rankAt < entry.loweredTo) entry.loweredTo = rankAt;
    },
    async look(queues) {
      for (const queue of queues) known.delete(queue);
      await look(queues, () => true);
    },
  };
}
