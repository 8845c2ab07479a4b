import { errorText } from '@taskwire/errors';
import type { Component } from '@taskwire/lifecycle';
import { query, type Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';

/** The channel on which relays hear that there is something to publish. */
export const notifyChannel = 'outbox';

/** NOTIFY takes a lock of the whole server when it commits; 20 a second from each process do not show, and nobody waits longer than this. */
const debounceMs = 50;

const wakers = new WeakMap<Database, () => void>();
const noWaker = (): void => undefined;

/**
 * The hint for `Tx.afterCommit` that wakes the relay of this database, wherever it runs. `appendEvents` registers it by itself; statements
 * that write to the outbox on their own pass it to `Database.run`. Without a waker, as on the command line, the relay's poll finds the events.
 */
export function relayHint(database: Database): () => void {
  return wakers.get(database) ?? noWaker;
}

/** Wakes the relay after each commit in `db` that appended events. The relay's poll is the guarantee; this makes it fast. */
export type Waker = Component & {
  /** Never waits, never throws. */
  wake(): void;
};

export type WakerOptions = {
  db: Database;
  /** The relay of this process, if it has one: as long as that is the owner, nobody else needs to hear. */
  relay?: { wake(): void; owner(): boolean };
  logger: Logger;
};

export function createWaker({ db, relay, logger }: WakerOptions): Waker {
  let timer: NodeJS.Timeout | undefined;
  let again = false;
  let stopped = false;

  function notify(): void {
    again = false;
    timer = setTimeout(() => {
      timer = undefined;
      if (again && !stopped) notify();
    }, debounceMs);
    timer.unref();
    query(db.pool, `NOTIFY ${notifyChannel}`).catch((error: unknown) =>
      logger.debug('the relay was not woken, its poll will find the events', { error: errorText(error) }),
    );
  }

  function wake(): void {
    if (relay?.owner() === true) relay.wake();
    else if (timer !== undefined) again = true;
    else if (!stopped) notify();
  }

  wakers.set(db, wake);
  return {
    name: 'outbox waker',
    wake,
    async start() {
      stopped = false;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
