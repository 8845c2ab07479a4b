import { setTimeout as delay } from 'node:timers/promises';
import { problem } from '@taskwire/errors';
import { query, settledNumbers, type Database, type NumberedTables, type Settled } from '@taskwire/postgres';
import type { Feed } from '../../app/sync/ports.ts';

/** A transaction that writes one task takes a few milliseconds. */
const pauseMs = 5;
/** How long a reader waits for transactions that write. Beyond that, older numbers are better than a slow response. */
const patienceMs = 200;

export type Settling = Pick<Feed, 'settle' | 'known'> & {
  /** Settles again if numbers were given out since the last round. */
  settleNew(): Promise<void>;
};

/** Finds the settled numbers of a feed for all readers of this process together. `advanced` is called when there are more. */
export function createSettling(db: Database, numbered: NumberedTables, advanced: () => void): Settling {
  const last = `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS number FROM ${numbered.sequence}`;
  let known: Settled | undefined;
  const settled = settledNumbers(db, numbered);
  let round: Promise<void> | undefined;
  let nextRound: Promise<void> | undefined;

  /** Numbers of another epoch mean nothing. */
  const current = (): Settled | undefined => (known?.epoch === db.sourceEpoch().epoch ? known : undefined);

  async function settleOnce(): Promise<void> {
    const until = performance.now() + patienceMs;
    for (;;) {
      const found = await settled();
      if (found !== undefined) {
        const isMore = found.number > (current()?.number ?? -1);
        known = found;
        if (isMore) advanced();
        return;
      }
      if (performance.now() >= until) return;
      await delay(pauseMs);
    }
  }

  async function run(): Promise<void> {
    round = settleOnce().finally(() => (round = undefined));
    await round;
  }

  /** A reader that comes while a round is running waits for the next one, which also sees what was committed in between. */
  async function join(): Promise<void> {
    if (round === undefined) return await run();
    nextRound ??= round
      .catch(() => undefined)
      .then(async () => {
        nextRound = undefined;
        await run();
      });
    await nextRound;
  }

  return {
    known: current,
    async settle() {
      await join();
      const found = current();
      if (found === undefined)
        throw problem('unavailable', 'A long transaction is running.', { headers: { 'Retry-After': '1' } });
      return found;
    },
    async settleNew() {
      const [row] = await query<{ number: string }>(db.pool, last);
      if (Number(row?.number) !== current()?.number) await join();
    },
  };
}
