import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { backOffMs, type BackOff } from '@taskwire/lifecycle';
import type { Logger } from '@taskwire/telemetry';
import type { Connection } from './connection.ts';

export type Supervised = {
  what: string;
  /** Runs one session. Resolves only after `signal` is aborted; rejects with the reason if its resource is lost. */
  session(signal: AbortSignal): Promise<void>;
  logger: Logger;
  onLost?: () => void;
};

/** The cap bounds the delay until a service reconnects once the broker is back; the base is about one round trip to a busy broker. */
const backOff: BackOff = { baseMs: 100, capMs: 5_000 };
/** A session that lasted this long was healthy. Its end is a new failure, so the first retry may be quick. */
const soundAfterMs = 10_000;

/** Runs sessions one after the other until stopped, with exponential back-off and full jitter between failures. */
export function supervise({ what, session, logger, onLost }: Supervised): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function run(): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = performance.now();
      try {
        await session(signal);
      } catch (error) {
        if (signal.aborted) return;
        failures = performance.now() - startedAt > soundAfterMs ? 1 : failures + 1;
        logger.warn(`RabbitMQ: ${what} lost; will retry`, { failures, error: errorText(error) });
        onLost?.();
        await delay(backOffMs(failures, backOff), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  const running = run();
  return {
    async stop() {
      stopping.abort(new Error('stopped'));
      await running;
    },
  };
}

/** How long a session may take to end gracefully after the signal; this must fit within the time that a process has to end (8 s). */
const endTimeoutMs = 2_000;

/**
 * Runs a session on a connection, and destroys the connection if the session has not ended soon after the signal: a hanging broker must not delay a
 * stop.
 */
export async function endingInTime(
  connection: Connection,
  signal: AbortSignal,
  session: () => Promise<void>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    const destroyConnection = (): void =>
      connection.destroy(new Error(`RabbitMQ did not respond within ${endTimeoutMs} ms of a stop`));
    timer = setTimeout(destroyConnection, endTimeoutMs);
  };
  signal.addEventListener('abort', onAbort);
  try {
    await session();
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
