import type { DeadLetterDetail, DeadLetterFilter, DeadLetterQuery } from '@taskwire/contracts';
import { isoMicros, query, type Database } from '@taskwire/postgres';
import { readDeadLetter } from './read.ts';
import { findUnsettled, searchDeadLetters, type DeadLetterPage } from './search.ts';
import { dropOne, replayOne, type Settled, type Settlement } from './settle.ts';

/** Selects the dead letters of a batch, and limits their number. */
export type Batch = { filter: DeadLetterFilter; limit: number };

/**
 * `settled`: the number resolved by this call. `more`: whether other dead letters match. `until`: pass it in the filter of the next batch to exclude
 * newer dead letters.
 */
export type BatchSettled = { settled: number; more: boolean; until: string };

/**
 * The messages of one service that failed permanently. Needs only the service's database, so that it serves both an API and a command. The service's
 * own inbox handles replayed messages within a second or two.
 */
export type DeadLetters = {
  /** Latest first. @throws Problem `bad_cursor`. */
  search(search: DeadLetterQuery): Promise<DeadLetterPage>;
  read(id: string): Promise<DeadLetterDetail | undefined>;
  /** Retries the message from its first attempt. If it fails permanently again, it becomes a new dead letter with the history of the old one. */
  replay(id: string, settlement: Settlement): Promise<Settled>;
  /**
   * Replays the matching dead letters in the order of their arrival, each in its own transaction: if the call fails, completed replays remain. Dead
   * letters recorded after the call began are excluded.
   */
  replayBatch(batch: Batch, settlement: Settlement): Promise<BatchSettled>;
  /** Drops the message permanently, and unblocks the messages behind it. */
  drop(id: string, settlement: Settlement & { reason: string }): Promise<Settled>;
  dropBatch(batch: Batch, settlement: Settlement & { reason: string }): Promise<BatchSettled>;
};

const readBound = `SELECT ${isoMicros('least(clock_timestamp(), $1::timestamptz)')} AS until`;

export function createDeadLetters({ db }: { db: Database }): DeadLetters {
  async function settleBatch(
    { filter, limit }: Batch,
    settleOne: (id: string) => Promise<Settled>,
  ): Promise<BatchSettled> {
    const [bound] = await query<{ until: string }>(db.pool, readBound, [filter.until]);
    if (bound === undefined) throw new Error('the database has no time');
    const { until } = bound;
    // one more than requested shows whether there are others
    const found = await findUnsettled(db.pool, { filter: { ...filter, until }, limit: limit + 1 });
    let settled = 0;
    for (const id of found.slice(0, limit)) if ((await settleOne(id)) === 'done') settled += 1;
    return { settled, more: found.length > limit, until };
  }

  return {
    search: async (search) => await searchDeadLetters(db.pool, search),
    read: async (id) => await readDeadLetter(db.pool, id),
    replay: async (id, settlement) => await replayOne(db, id, settlement),
    replayBatch: async (batch, settlement) => await settleBatch(batch, (id) => replayOne(db, id, settlement)),
    drop: async (id, settlement) => await dropOne(db, id, settlement),
    dropBatch: async (batch, settlement) => await settleBatch(batch, (id) => dropOne(db, id, settlement)),
  };
}
