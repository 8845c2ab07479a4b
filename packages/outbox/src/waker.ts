import { errorText } from '@taskwire/errors';
import type { Component } from '@taskwire/lifecycle';
import { query, type Queryable } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';

/** The channel on which relays hear that there is something to publish. */
export const notifyChannel = 'outbox';

/** NOTIFY takes a lock of the whole server when it commits; 20 a second from each process do not show, and nobody waits longer than this. */
const debounceMs = 50;

/** Tells the relay, wherever it runs, that something was committed. */
export type Waker = Component & {
  /** Call it after the commit. Never waits, never throws; it is a hint, the relay's poll is the guarantee. */
  wake(): void;
};

export type WakerOptions = {
  db: Queryable;
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
    query(db, `NOTIFY ${notifyChannel}`).catch((error: unknown) =>
      logger.debug('the relay was not woken, its poll will find the events', { error: errorText(error) }),
    );
  }

  return {
    name: 'outbox waker',
    wake() {
      if (relay?.owner() === true) relay.wake();
      else if (timer !== undefined) again = true;
      else if (!stopped) notify();
    },
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
