import { errorText } from '@taskwire/errors';
import type { Component } from '@taskwire/lifecycle';
import { query, type Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';

/** The channel on which relays are notified of new rows. */
export const notifyChannel = 'outbox';

/**
 * NOTIFY takes a server-wide lock when it commits. At most 20 a second from each process are negligible, and no event is delayed for longer than
 * this.
 */
const debounceMs = 50;

const notifiers = new WeakMap<Database, () => void>();
const noNotifier = (): void => undefined;

/**
 * Returns the hint for `Tx.afterCommit` that wakes the relay of this database, even if it runs in another process. `appendEvents` registers the hint
 * itself; statements that write to the outbox directly pass it to `Database.run`. Without a notifier, as on the command line, the relay's poll finds
 * the events.
 */
export function relayHint(database: Database): () => void {
  return notifiers.get(database) ?? noNotifier;
}

/** Wakes the relay after each commit in `db` that appended events. The relay's poll is the guarantee; the notifier reduces latency. */
export type Notifier = Component & {
  /** Never waits and never throws. */
  wake(): void;
};

export type NotifierOptions = {
  db: Database;
  /** The relay of this process, if it has one. While it is the leader, no other process needs a notification. */
  relay?: { wake(): void; isLeader(): boolean } | undefined;
  logger: Logger;
};

export function createNotifier({ db, relay, logger }: NotifierOptions): Notifier {
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
    if (relay?.isLeader() === true) relay.wake();
    else if (timer !== undefined) again = true;
    else if (!stopped) notify();
  }

  notifiers.set(db, wake);
  return {
    name: 'outbox notifier',
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
