import { problem, type Problem } from '@taskwire/errors';
import { isSqlState, sqlState, type Database, type Tx } from '@taskwire/postgres';

/** A list that takes longer has no suitable index. */
export const limitMs = 500;
/** The share of the pool that reads of one kind may hold at a time, so that those of the other kinds continue beside them. */
const shareOfKind = 0.4;
/** The share that the reads of all kinds may hold together. The rest is left for writes, and for reads that are always short. */
const shareOfAll = 0.6;

/** Runs work that occupies a connection, a few at a time. @throws Problem `search_busy` when it has waited too long. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/** The kinds of reads whose cost depends on the request. */
export type ReadTurns = Readonly<Record<'lists' | 'activity' | 'sync', Turns>>;

/**
 * Limits the reads whose cost depends on the request, so that they never stall the pool: a few at a time, each statement for at most half a second.
 * @throws Problem `search_busy` when a read exceeds either limit.
 */
export type BoundedReads = <T>(read: (tx: Tx) => Promise<T>) => Promise<T>;

type Room = { readonly most: number; running: number };

/** Divides a pool of at least two connections among such reads. All of them together leave it one connection or more. */
export function takingTurns(connections: number): ReadTurns {
  const roomFor = (share: number): Room => ({ most: Math.max(1, Math.floor(connections * share)), running: 0 });
  const all = roomFor(shareOfAll);
  const waiting: { kind: Room; begin: () => void }[] = [];
  const isFree = ({ most, running }: Room) => running < most && all.running < all.most;

  function count(kind: Room, change: 1 | -1): void {
    kind.running += change;
    all.running += change;
  }

  /** Waits for a turn, for at most as long as a statement may take. */
  async function turn(kind: Room): Promise<void> {
    if (isFree(kind)) return count(kind, 1);
    await new Promise<void>((resolve, reject) => {
      const waiter = {
        kind,
        begin() {
          clearTimeout(timer);
          count(kind, 1);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(waiter), 1);
        reject(busy());
      }, limitMs);
      waiting.push(waiter);
    });
  }

  /** Gives the turn to the read that has waited longest, among those of kinds that have room. */
  function end(kind: Room): void {
    count(kind, -1);
    const next = waiting.findIndex((waiter) => isFree(waiter.kind));
    if (next >= 0) waiting.splice(next, 1)[0]?.begin();
  }

  const turnsOf = (kind: Room): Turns => {
    return async (work) => {
      await turn(kind);
      try {
        return await work();
      } finally {
        end(kind);
      }
    };
  };
  const [lists, activity, sync] = [roomFor(shareOfKind), roomFor(shareOfKind), roomFor(shareOfKind)];
  return { lists: turnsOf(lists), activity: turnsOf(activity), sync: turnsOf(sync) };
}

export function boundedReads(db: Database, inTurn: Turns): BoundedReads {
  return async (read) => {
    try {
      return await inTurn(async () => await db.transaction(read, { statementTimeoutMs: limitMs }));
    } catch (error) {
      throw isSqlState(error, sqlState.queryCanceled) ? busy(error) : error;
    }
  };
}

export function busy(cause?: unknown): Problem {
  return problem('search_busy', 'Narrow the filter, use the default order, or try again in a moment.', {
    headers: { 'Retry-After': '1' },
    cause,
  });
}
