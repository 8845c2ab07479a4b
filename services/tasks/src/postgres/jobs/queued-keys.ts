import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import { LRUCache } from 'lru-cache';
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
 * The concurrency keys with queued jobs that a process knows. Its claims use them to pass over no entries of jobs that were claimed before (ADR 59).
 * All of it is a hint; the scans of all keys are the guarantee.
 */
export type QueuedKeys = {
  /**
   * Reads the keys of queues that the process does not know yet, or more keys if all that it knows have had a turn. Starts the reads that are due without
   * waiting for them.
   */
  ready(queues: readonly string[]): Promise<void>;
  /** Whether a queue has jobs with a key, as far as the process knows. */
  has(queue: string): boolean;
  /** The rank of each queue from which the process has not read jobs yet. */
  unreadFrom(queues: readonly string[]): string[];
  /** Reads the keys of the jobs from that rank on. */
  readNew(queues: readonly string[]): Promise<void>;
  /** Records that jobs were queued. */
  note(queue: string, jobs: readonly QueuedJob[]): void;
  /** Begins a claim of jobs with keys. The caller ends it, whatever happens. */
  begin(queue: string): KeyedClaim;
};

export type KeyedClaim = {
  /** The keys to look at: those that have waited longest for their turn, the one that was served least recently first. */
  keys: readonly KnownKey[];
  /** Whether these are all keys of the queue. */
  areAll: boolean;
  /** Records what the claim found out about the keys that it looked at. */
  learn(found: readonly FoundKey[]): void;
  end(): void;
};

/** How to count the running jobs of a key: those with the fences listed that still have their lease, and those with a fence above `counted`. */
type Leases = { fences: readonly string[]; counted: string };

/** A key for `lease_jobs_of_keys`. No job below the rank `floor` was queued when the process looked. */
export type KnownKey = Leases & { key: string; floor: string };

/** A key after a claim that leased `leased` of its jobs. `floor` is `null` if no job is left. */
export type FoundKey = Leases & { key: string; floor: string | null; leased: number };

/**
 * Keys that one claim examines: each limited key costs a few index probes, and without this limit, thousands of saturated keys would delay each claim.
 * Several claims share the keys of a queue that has more.
 */
const mostExamined = 100;
/** Keys of a queue that one statement of a scan reads: about 2 ms of look-ups. */
const page = 500;
/**
 * Keys of a queue that the process knows at once: at most about 4 MB. Only the scan may fill the second half, because otherwise new keys could take each
 * place that becomes free, and those that the scan has not reached would starve.
 */
const mostKnown = 20_000;
/** Keys, of all queues, whose last turn the process remembers. A key beyond them is served too early, and all of its leases are counted again. */
const mostTurns = 50_000;
/** Jobs that one read of new jobs reads, about a millisecond, and one that includes the jobs of the last two seconds. */
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

/** The keys of each queue $1 after the key $2. `behind` is the time up to which a scan from the front is complete. */
export const findKeys = {
  name: 'jobs.find_keys',
  text: `
  SELECT given.queue, found.key, ${isoMicros('found.rank_at')} AS floor, ${isoMicros(`(now() - ${claimedBehindClock})`)} AS behind
  FROM unnest($1::text[], $2::text[]) AS given (queue, after)
    LEFT JOIN LATERAL (${firstOfKeys('given.queue', 'given.after', page)}) AS found ON true`,
};

/**
 * The keys of the first $4 jobs of each queue $1 from the rank $2 on; if $3, at least from two seconds ago on. `count` counts these jobs, and `last` is
 * the highest rank of them.
 */
export const findNewKeys = {
  name: 'jobs.find_new_keys',
  text: `
  SELECT given.queue, found.key, ${isoMicros('found.floor')} AS floor, coalesce(found.count, 0)::integer AS count, ${isoMicros('found.last')} AS last,
    ${isoMicros(`(now() - ${claimedBehindClock})`)} AS behind
  FROM unnest($1::text[], $2::timestamptz[], $3::boolean[]) AS given (queue, floor, is_late) LEFT JOIN LATERAL (
    SELECT concurrency_key AS key, min(rank_at) AS floor, count(*) AS count, max(rank_at) AS last FROM (
      SELECT concurrency_key, rank_at FROM jobs
      WHERE queue = given.queue AND state = 'queued' AND concurrency_key IS NOT NULL
        AND rank_at >= CASE WHEN given.is_late THEN least(given.floor, now() - ${nearBehindClock}) ELSE given.floor END
      ORDER BY rank_at LIMIT $4
    ) AS job GROUP BY concurrency_key
  ) AS found ON true`,
};

type KeyRow = { queue: string; key: string | null; floor: string; behind: string };
type NewKeyRow = KeyRow & { count: number; last: string };

type Entry = { floor: string; hadTurn: boolean };

/** The last turn of a key. `served` is a number that grows with each turn in which jobs were leased, or 0. */
type Turn = Leases & { served: number };

type Queue = {
  name: string;
  /** The key that has waited longest for its turn comes first. */
  keys: Map<string, Entry>;
  /** The lowest ranks of jobs of each key of which the process learned during each claim that runs. */
  claims: Set<Map<string, string>>;
  /** Whether the last scan found all keys, and none was forgotten since: then a key that is not known has no jobs. */
  isWhole: boolean;
  /** The key after which the scan continues, or '' to begin. */
  after: string;
  /** The turns of keys since the last scan. */
  turns: number;
  /** Whether keys were forgotten since the scan began. */
  hasForgotten: boolean;
  unreadFrom: string;
  readAt: number;
  lateAt: number;
  scannedAt: number;
  scanEveryMs: number;
};

const noTurn: Turn = { fences: [], counted: '0', served: 0 };

/** `now` is a clock in milliseconds. */
export function createQueuedKeys(db: Queryable, now: () => number = () => performance.now()): QueuedKeys {
  const known = new Map<string, Queue>();
  const lastTurns = new LRUCache<string, Turn>({ max: mostTurns });
  let isRefreshing = false;
  let counter = 0;

  function add({ keys, claims }: Queue, o: { key: string; floor: string; most: number }): boolean {
    for (const noted of claims) noted.set(o.key, lower(noted.get(o.key), o.floor));
    const entry = keys.get(o.key);
    if (entry === undefined && keys.size >= o.most) return false;
    keys.set(o.key, { hadTurn: false, ...entry, floor: lower(entry?.floor, o.floor) });
    return true;
  }

  /** Adds a key of a job that was queued. Before all keys are known, it may have jobs of a lower rank. */
  function addNew(queue: Queue, key: string, rank: string): void {
    const floor = queue.isWhole || queue.keys.has(key) ? rank : lowest;
    if (!add(queue, { key, floor, most: mostKnown / 2 })) queue.isWhole = false;
  }

  /** Reads the next keys of each queue. */
  async function scanKeys(queues: readonly Queue[]): Promise<void> {
    const at = now();
    const values = [queues.map(({ name }) => name), queues.map(({ after }) => after)];
    const rows = Map.groupBy(await query<KeyRow>(db, { ...findKeys, values }), ({ queue }) => queue);
    const shareMs = (now() - at) / fullShare;
    for (const queue of queues) {
      const found = rows.get(queue.name) ?? [];
      if (queue.keys.size + found.length > mostKnown) forget(queue);
      const isStored = found.every(({ key, floor }) => key === null || add(queue, { key, floor, most: mostKnown }));
      if (isStored) queue.after = found.length < page ? '' : (found.at(-1)?.key ?? '');
      if (isStored && queue.after === '') {
        queue.isWhole = !queue.hasForgotten;
        queue.hasForgotten = false;
      }
      if (queue.unreadFrom === lowest) queue.unreadFrom = found[0]?.behind ?? lowest;
      const isRound = isStored && queue.after === '';
      Object.assign(queue, {
        turns: 0,
        scannedAt: at,
        scanEveryMs: isRound ? Math.max(fullEveryMs, shareMs) : shareMs,
      });
    }
  }

  /** Makes room for other keys: those that had a turn come again with the next scan. */
  function forget(queue: Queue): void {
    for (const [key, { hadTurn }] of queue.keys) if (hadTurn) queue.keys.delete(key);
    Object.assign(queue, { isWhole: false, hasForgotten: true });
  }

  async function readJobs(queues: readonly Queue[], o: { mayBeLate: boolean }): Promise<void> {
    if (queues.length === 0) return;
    const at = now();
    const late = queues.map(({ lateAt }) => o.mayBeLate && at - lateAt >= nearEveryMs);
    const most = late.includes(true) ? mostLate : mostNew;
    const values = [queues.map(({ name }) => name), queues.map(({ unreadFrom }) => unreadFrom), late, most];
    for (const [place, queue] of queues.entries())
      Object.assign(queue, { readAt: at, ...(late[place] === true && { lateAt: at }) });
    const rows = Map.groupBy(await query<NewKeyRow>(db, { ...findNewKeys, values }), ({ queue }) => queue);
    for (const queue of queues) {
      const found = rows.get(queue.name) ?? [];
      for (const { key, floor } of found) if (key !== null) addNew(queue, key, floor);
      const isPart = found.reduce((sum, { count }) => sum + count, 0) >= most;
      const last = found.reduce((latest, one) => (one.last > latest ? one.last : latest), lowest);
      // if many jobs have the same rank, the scan finds the keys of the others
      const upTo = isPart && last > queue.unreadFrom ? last : (found[0]?.behind ?? lowest);
      if (upTo > queue.unreadFrom) queue.unreadFrom = upTo;
    }
  }

  async function refresh(queues: readonly Queue[]): Promise<void> {
    const at = now();
    await readJobs(
      queues.filter(({ readAt }) => at - readAt >= riseEveryMs),
      { mayBeLate: true },
    );
    const due = queues.filter(({ scannedAt, scanEveryMs }) => at - scannedAt >= scanEveryMs);
    if (due.length > 0) await scanKeys(due);
  }

  const find = (names: readonly string[]) => names.flatMap((name) => known.get(name) ?? []);

  return {
    async ready(names) {
      for (const name of names) if (!known.has(name)) known.set(name, newQueue(name));
      const queues = find(names);
      // the keys that the process does not know come next
      const hadTurns = ({ after, turns, keys }: Queue) => after !== '' && turns >= keys.size;
      const needed = queues.filter((queue) => queue.scannedAt === -Infinity || hadTurns(queue));
      if (needed.length > 0) await scanKeys(needed);
      if (isRefreshing) return;
      isRefreshing = true;
      void refresh(queues)
        // the keys stay as they are, and the next claim tries again
        .catch(() => undefined)
        .finally(() => (isRefreshing = false));
    },
    has: (name) => (known.get(name)?.keys.size ?? 0) > 0,
    unreadFrom: (names) => names.map((name) => known.get(name)?.unreadFrom ?? lowest),
    readNew: async (names) => await readJobs(find(names), { mayBeLate: false }),
    note(name, jobs) {
      const queue = known.get(name);
      if (queue !== undefined) for (const { key, rankAt } of jobs) if (key !== null) addNew(queue, key, rankAt);
    },
    begin(name) {
      const queue = known.get(name) ?? newQueue(name);
      const { keys, claims } = queue;
      // names of queues have no spaces
      const nameOf = (key: string) => `${name} ${key}`;
      const lastTurn = (key: string) => lastTurns.get(nameOf(key)) ?? noTurn;
      const noted = new Map<string, string>();
      claims.add(noted);
      return {
        keys: [...keys.entries().take(mostExamined)]
          .map(([key, { floor }]) => ({ key, floor, ...lastTurn(key) }))
          .sort((a, b) => a.served - b.served),
        areAll: queue.isWhole && keys.size <= mostExamined,
        learn(found) {
          queue.turns += found.length;
          for (const { key, floor, leased, ...counted } of found) {
            lastTurns.set(nameOf(key), { ...counted, served: leased > 0 ? ++counter : lastTurn(key).served });
            keys.delete(key);
            // a job of which the process learned in between may be below the floor that the claim found
            const next = noted.has(key) ? lower(floor ?? undefined, noted.get(key) ?? lowest) : floor;
            if (next !== null) keys.set(key, { floor: next, hadTurn: true });
          }
        },
        end: () => void claims.delete(noted),
      };
    },
  };
}

const lower = (one: string | undefined, other: string) => (one !== undefined && one < other ? one : other);

const newQueue = (name: string): Queue => ({
  ...{ name, keys: new Map(), claims: new Set() },
  ...{ isWhole: false, after: '', turns: 0, hasForgotten: false },
  ...{ unreadFrom: lowest, readAt: -Infinity, lateAt: -Infinity, scannedAt: -Infinity, scanEveryMs: 0 },
});
