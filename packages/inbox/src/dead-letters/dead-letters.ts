import type { DeadLetterDetail, DeadLetterFilter, DeadLetterQuery } from '@taskwire/contracts';
import { isoMicros, query, type Database } from '@taskwire/postgres';
import { readDeadLetter } from './read.ts';
import { findUnsettled, searchDeadLetters, type DeadLetterPage } from './search.ts';
import { dropOne, replayOne, type Settled, type Settlement } from './settle.ts';

/** Which dead letters are to be settled, and how many at most. */
export type Batch = { filter: DeadLetterFilter; limit: number };

/** `settled`: by this call. `more`: there are others that match. `until`: give it in the filter of the next batch, to leave alone what dies meanwhile. */
export type BatchSettled = { settled: number; more: boolean; until: string };

/**
 * The messages of one service that failed for good. Needs nothing but the service's database, so that it serves an API and a command alike; the
 * service's own inbox does what is replayed, within a second or two.
 */
export type DeadLetters = {
  /** Latest first. @throws Problem `bad_cursor`. */
  search(search: DeadLetterQuery): Promise<DeadLetterPage>;
  read(id: string): Promise<DeadLetterDetail | undefined>;
  /** Has it tried again from its first attempt. A message that fails for good again is a new dead letter with the history of the old one. */
  replay(id: string, settlement: Settlement): Promise<Settled>;
  /**
   * The same for those that match now, in the order in which they came, each in a transaction of its own: what is done when it fails stays done.
   * What dies after the call began is left alone.
   */
  replayBatch(batch: Batch, settlement: Settlement): Promise<BatchSettled>;
  /** Gives it up for ever, and lets go on what it held back. */
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
    // one more than asked for tells whether there are others
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
