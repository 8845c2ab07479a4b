import type { DeadLetterDetail, DeadLetterFilter, DeadLetterQuery } from '@taskwire/contracts';
import { isoMicros, query, type Database } from '@taskwire/postgres';
import { readDeadLetter } from './read.ts';
import { findDead, searchDeadLetters, type DeadLetterPage } from './search.ts';
import { dropOne, replayOne, type ResolveResult, type Resolution } from './resolve.ts';

/** Selects the dead letters of a batch, and limits their number. */
export type Batch = { filter: DeadLetterFilter; limit: number };

/**
 * `resolved`: the number resolved by this call. `more`: whether more dead letters match. `until`: the value to pass in the filter of the next batch,
 * so that newer dead letters are excluded.
 */
export type BatchResult = { resolved: number; more: boolean; until: string };

/**
 * The messages of a service that failed permanently. Needs only the service's database, so that both an API and a command can use it. The service's
 * own inbox handles replayed messages within a second or two.
 */
export type DeadLetters = {
  /** Latest first. @throws Problem `bad_cursor`. */
  search(search: DeadLetterQuery): Promise<DeadLetterPage>;
  read(id: string): Promise<DeadLetterDetail | undefined>;
  /** Retries the message from its first attempt. If it fails permanently again, it becomes a new dead letter with the history of the old one. */
  replay(id: string, resolution: Resolution): Promise<ResolveResult>;
  /**
   * Replays the matching dead letters in the order of their arrival, each in its own transaction: if the call fails, completed replays remain. Dead
   * letters recorded after the call began are excluded.
   */
  replayBatch(batch: Batch, resolution: Resolution): Promise<BatchResult>;
  /** Drops the message permanently, and unblocks the messages behind it. */
  drop(id: string, resolution: Resolution & { reason: string }): Promise<ResolveResult>;
  dropBatch(batch: Batch, resolution: Resolution & { reason: string }): Promise<BatchResult>;
};

const readBound = `SELECT ${isoMicros('least(clock_timestamp(), $1::timestamptz)')} AS until`;

export function createDeadLetters({ db }: { db: Database }): DeadLetters {
  async function resolveBatch(
    { filter, limit }: Batch,
    resolveOne: (id: string) => Promise<ResolveResult>,
  ): Promise<BatchResult> {
    const [bound] = await query<{ until: string }>(db.pool, readBound, [filter.until]);
    if (bound === undefined) throw new Error('the database did not return its time');
    const { until } = bound;
    // one row more than the limit shows whether more dead letters match
    const found = await findDead(db, { filter: { ...filter, until }, limit: limit + 1 });
    let resolved = 0;
    for (const id of found.slice(0, limit)) if ((await resolveOne(id)) === 'done') resolved += 1;
    return { resolved, more: found.length > limit, until };
  }

  return {
    search: async (search) => await searchDeadLetters(db, search),
    read: async (id) => await readDeadLetter(db.pool, id),
    replay: async (id, resolution) => await replayOne(db, id, resolution),
    replayBatch: async (batch, resolution) => await resolveBatch(batch, (id) => replayOne(db, id, resolution)),
    drop: async (id, resolution) => await dropOne(db, id, resolution),
    dropBatch: async (batch, resolution) => await resolveBatch(batch, (id) => dropOne(db, id, resolution)),
  };
}
