import { problem, type Problem } from '@taskwire/errors';
import { isSqlState, sqlState, type Database, type Tx } from '@taskwire/postgres';

/** A list that takes longer has no suitable index. */
export const limitMs = 500;
/** The share of the pool that such reads may hold at a time: more than half is left for everything else. */
const shareOfPool = 0.4;

/** Runs work that occupies a connection, a few at a time. @throws Problem `search_busy` when it has waited too long. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Limits the reads whose cost depends on the request, so that they never stall the pool: a few at a time, each statement for at most half a second.
 * @throws Problem `search_busy` when a read exceeds either limit.
 */
export type BoundedReads = <T>(read: (tx: Tx) => Promise<T>) => Promise<T>;

/** Creates the turns of reads that share one part of the pool. */
export function takingTurns(db: Database): Turns {
  const atOnce = Math.max(1, Math.floor((db.pool.options.max ?? 1) * shareOfPool));
  const waiting: (() => void)[] = [];
  let running = 0;

  /** Waits for a turn, for at most as long as a statement may take. */
  async function turn(): Promise<void> {
    if (running < atOnce) return void (running += 1);
    await new Promise<void>((resolve, reject) => {
      const next = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(next), 1);
        reject(busy());
      }, limitMs);
      waiting.push(next);
    });
  }

  function end(): void {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }

  return async (work) => {
    await turn();
    try {
      return await work();
    } finally {
      end();
    }
  };
}

export function boundedReads(db: Database, inTurn: Turns = takingTurns(db)): BoundedReads {
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
