import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { QueuedJob } from '../../app/jobs/ports.ts';
import {
  claimedBehindClock,
  fullEveryMs,
  fullShare,
  lowest,
  nearBehindClock,
  nearEveryMs,
  riseEveryMs,
} from './floors.ts';

/**
 * What a process knows of the concurrency keys that have queued jobs, so that its claims pass over no entries of jobs that were claimed before (ADR 59).
 * All of it is a hint; the scans of all keys are the guarantee.
 */
export type QueuedKeys = {
  /** Reads the keys of queues that the process does not know yet. Starts the scans that are due without waiting for them. */
  ready(queues: readonly string[]): Promise<void>;
  /** Whether a queue has jobs with a key, as far as the process knows. */
  has(queue: string): boolean;
  /** The keys for a claim: those that have waited longest for their turn, the one that was served least recently first. */
  next(queue: string): KnownKey[];
  /** Whether `next` returns all keys of the queue. */
  isComplete(queue: string): boolean;
  /** The rank of each queue from which the process has not read jobs yet. */
  unreadFrom(queues: readonly string[]): string[];
  /** Reads the keys of the jobs from that rank on. */
  look(queues: readonly string[]): Promise<void>;
  /** Records that jobs were queued. */
  note(queue: string, jobs: readonly QueuedJob[]): void;
  /** Records what a claim found out about keys that `next` returned: those that it looked at. */
  learn(queue: string, given: readonly KnownKey[], found: readonly FoundKey[]): void;
};

/** How to count the running jobs of a key: those with the fences listed that still have their lease, and those with a fence above `counted`. */
type Leases = { fences: readonly string[]; counted: string };

/** A key for `lease_jobs_of_keys`. No job below `floor` was queued when the process looked; `version` changes when it learns of another job. */
export type KnownKey = Leases & { key: string; floor: string; version: number };

/** A key after a claim that leased `leased` of its jobs. `floor` is `null` if no job is left. */
export type FoundKey = Leases & { key: string; floor: string | null; leased: number };

/**
 * Keys that one claim examines: each limited key costs a few index probes, and without this limit, thousands of saturated keys would delay each claim.
 * Several claims share the keys of a queue that has more.
 */
const mostExamined = 100;
/** Keys that one scan reads: about 2 ms of look-ups. If a queue has more, another scan continues when these have had their turns. */
const page = 500;
/** Keys of a queue that the process knows at once: a page, and keys of new jobs. */
const mostKnown = 2 * page;
/** Jobs that one look reads, about a millisecond, and those that a scan for late jobs reads. */
const mostNew = 1_000;
const mostLate = 10_000;

const firstOfNextKey = (queue: string, after: string) => `
    SELECT concurrency_key AS key, rank_at, run_at FROM jobs
    WHERE queue = ${queue} AND state = 'queued' AND concurrency_key IS NOT NULL AND concurrency_key > ${after}
    ORDER BY concurrency_key, rank_at, id LIMIT 1`;

/** The first due job of each key of a queue after another key, found with one probe for each key, however many jobs it has. */
export const firstOfKeys = (queue: string, after: string, most: number): string => `
  WITH RECURSIVE first AS (
    (${firstOfNextKey(queue, after)})
    UNION ALL
    SELECT next.* FROM first CROSS JOIN LATERAL (${firstOfNextKey(queue, 'first.key')}) next
  )
  SELECT key, rank_at, run_at FROM first LIMIT ${most}`;

const behind = `${isoMicros(`(now() - ${claimedBehindClock})`)} AS behind`;

/** The keys of the queue $1 after the key $2. */
export const findKeys = {
  name: 'jobs.find_keys',
  text: `
  SELECT found.key, ${isoMicros('found.rank_at')} AS floor, ${behind} FROM (SELECT) AS one LEFT JOIN (${firstOfKeys('$1', '$2', page)}) AS found ON true`,
};

/**
 * The keys of the first $4 jobs of the queue $1 from the rank $2 on; if $3, at least from two seconds ago on. `count` counts these jobs, and `last` is
 * the highest rank of them.
 */
export const findNewKeys = {
  name: 'jobs.find_new_keys',
  text: `
  SELECT found.key, ${isoMicros('found.floor')} AS floor, coalesce(found.count, 0)::integer AS count, ${isoMicros('found.last')} AS last, ${behind}
  FROM (SELECT) AS one LEFT JOIN (
    SELECT concurrency_key AS key, min(rank_at) AS floor, count(*) AS count, max(rank_at) AS last FROM (
      SELECT concurrency_key, rank_at FROM jobs
      WHERE queue = $1 AND state = 'queued' AND concurrency_key IS NOT NULL
        AND rank_at >= CASE WHEN $3 THEN least($2::timestamptz, now() - ${nearBehindClock}) ELSE $2::timestamptz END
      ORDER BY rank_at LIMIT $4
    ) AS job GROUP BY concurrency_key
  ) AS found ON true`,
};

type Entry = { floor: string; version: number; hadTurn: boolean };

type Queue = {
  name: string;
  /** The key that has waited longest for its turn comes first. */
  keys: Map<string, Entry>;
  /** The keys that were served, with a number that grows. */
  served: Map<string, number>;
  leases: Map<string, Leases>;
  unreadFrom: string;
  readAt: number;
  lateAt: number;
  scannedAt: number;
  scanEveryMs: number;
  /** The key after which the next scan begins: '' for all keys. */
  after: string;
  /** The scan and the look that run now. */
  scanning?: Promise<void> | undefined;
  looking?: Promise<void> | undefined;
};

const allLeases: Leases = { fences: [], counted: '0' };

/** `now` is a clock in milliseconds. */
export function createQueuedKeys(db: Queryable, now: () => number = () => performance.now()): QueuedKeys {
  const known = new Map<string, Queue>();
  let isRefreshing = false;
  let counter = 0;

  function add({ keys }: Queue, key: string, rank: string): void {
    const entry = keys.get(key);
    if (entry !== undefined && entry.floor <= rank) return;
    // a scan finds the keys for which there is no room now
    if (entry === undefined && keys.size >= mostKnown) return;
    keys.set(key, { hadTurn: false, ...entry, floor: rank, version: ++counter });
  }

  async function scan(queue: Queue): Promise<void> {
    const at = now();
    const rows = await query<{ key: string | null; floor: string; behind: string }>(db, {
      ...findKeys,
      values: [queue.name, queue.after],
    });
    const { keys } = queue;
    if (keys.size > mostKnown - page) for (const [key, { hadTurn }] of keys) if (hadTurn) keys.delete(key);
    for (const { key, floor } of rows) if (key !== null) add(queue, key, floor);
    queue.after = rows.length < page ? '' : (rows.at(-1)?.key ?? '');
    if (queue.unreadFrom === lowest) queue.unreadFrom = rows[0]?.behind ?? lowest;
    const shareMs = (now() - at) / fullShare;
    Object.assign(queue, { scannedAt: at, scanEveryMs: queue.after === '' ? Math.max(fullEveryMs, shareMs) : shareMs });
  }

  async function read(queue: Queue, { isLate }: { isLate: boolean }): Promise<void> {
    queue.readAt = now();
    if (isLate) queue.lateAt = queue.readAt;
    const most = isLate ? mostLate : mostNew;
    type Row = { key: string | null; floor: string; count: number; last: string; behind: string };
    const rows = await query<Row>(db, { ...findNewKeys, values: [queue.name, queue.unreadFrom, isLate, most] });
    let upTo = rows[0]?.behind ?? lowest;
    if (rows.reduce((sum, { count }) => sum + count, 0) >= most)
      upTo = rows.reduce((latest, { last }) => (last > latest ? last : latest), lowest);
    for (const { key, floor } of rows) if (key !== null) add(queue, key, floor);
    if (upTo > queue.unreadFrom) queue.unreadFrom = upTo;
  }

  /** Whether the next scan of a queue has something to find for claims, which have looked at nearly all keys of the scans before. */
  const isDue = (queue: Queue) =>
    now() - queue.scannedAt >= queue.scanEveryMs &&
    (queue.after === '' || [...queue.keys.values()].filter(({ hadTurn }) => !hadTurn).length < mostExamined);

  async function refresh(queues: readonly Queue[]): Promise<void> {
    for (const queue of queues) {
      if (now() - queue.readAt >= riseEveryMs) await read(queue, { isLate: now() - queue.lateAt >= nearEveryMs });
      if (isDue(queue)) await scanOnce(queue);
    }
  }

  /** Concurrent claims wait for the same scan. */
  const scanOnce = async (queue: Queue) =>
    await (queue.scanning ??= scan(queue).finally(() => (queue.scanning = undefined)));
  const lookOnce = async (queue: Queue) =>
    await (queue.looking ??= read(queue, { isLate: false }).finally(() => (queue.looking = undefined)));

  const find = (names: readonly string[]) => names.flatMap((name) => known.get(name) ?? []);

  return {
    async ready(names) {
      for (const name of names) if (!known.has(name)) known.set(name, newQueue(name));
      const queues = find(names);
      if (!isRefreshing) {
        isRefreshing = true;
        void refresh(queues.filter(({ scannedAt }) => scannedAt !== -Infinity))
          // the keys stay as they are, and the next claim tries again
          .catch(() => undefined)
          .finally(() => (isRefreshing = false));
      }
      const isShort = ({ scannedAt, after, keys }: Queue) =>
        scannedAt === -Infinity || (after !== '' && keys.size < mostExamined);
      await Promise.all(queues.filter(isShort).map(scanOnce));
    },
    has: (name) => (known.get(name)?.keys.size ?? 0) > 0,
    next(name) {
      const queue = known.get(name);
      if (queue === undefined) return [];
      const { served, leases } = queue;
      return [...queue.keys.entries().take(mostExamined)]
        .map(([key, { floor, version }]) => ({ key, floor, version, ...(leases.get(key) ?? allLeases) }))
        .sort((a, b) => (served.get(a.key) ?? 0) - (served.get(b.key) ?? 0));
    },
    isComplete(name) {
      const queue = known.get(name);
      return queue !== undefined && queue.after === '' && queue.keys.size <= mostExamined;
    },
    unreadFrom: (names) => names.map((name) => known.get(name)?.unreadFrom ?? lowest),
    look: async (names) => void (await Promise.all(find(names).map(lookOnce))),
    note(name, jobs) {
      const queue = known.get(name);
      if (queue !== undefined) for (const { key, rankAt } of jobs) if (key !== null) add(queue, key, rankAt);
    },
    learn(name, given, found) {
      const queue = known.get(name);
      if (queue === undefined) return;
      const versions = new Map(given.map(({ key, version }) => [key, version]));
      for (const { key, floor, leased, ...leases } of found) {
        remember(queue.leases, key, leases);
        if (leased > 0) remember(queue.served, key, ++counter);
        const entry = queue.keys.get(key);
        if (entry === undefined) continue;
        queue.keys.delete(key);
        // a job that was queued in between may be below the floor that the claim found
        const isCurrent = entry.version === versions.get(key);
        if (isCurrent && floor === null) continue;
        queue.keys.set(key, { ...entry, hadTurn: true, floor: isCurrent && floor !== null ? floor : entry.floor });
      }
    },
  };
}

const newQueue = (name: string): Queue => ({
  ...{ name, keys: new Map(), served: new Map(), leases: new Map(), after: '' },
  ...{ unreadFrom: lowest, readAt: -Infinity, lateAt: -Infinity, scannedAt: -Infinity, scanEveryMs: 0 },
});

/** Sets an entry of a map that keeps the entries set last. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > mostKnown) for (const oldest of map.keys().take(1)) map.delete(oldest);
}
