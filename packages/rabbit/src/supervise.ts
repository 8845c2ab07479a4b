import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { fullJitter, type BackOff } from '@taskwire/lifecycle';
import type { Logger } from '@taskwire/telemetry';

export type Supervised = {
  what: string;
  /** One life: resolves only once `signal` is aborted, and rejects with the reason when what it holds is lost. */
  session(signal: AbortSignal): Promise<void>;
  logger: Logger;
  onLost?: () => void;
};

/** The cap bounds how long after the broker's return a service notices; the base is about one round trip of a busy broker. */
const backOff: BackOff = { baseMs: 100, capMs: 5_000 };
/** A session that lived this long was sound: what ended it is new trouble, and the first retry may be quick. */
const soundAfterMs = 10_000;

/** Runs sessions one after the other until it is stopped, with a pause of growing length and full jitter between failures. */
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
        logger.warn(`RabbitMQ: ${what} lost, will try again`, { failures, error: errorText(error) });
        onLost?.();
        await delay(fullJitter(failures, backOff), undefined, { signal }).catch(() => undefined);
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

/** Rejects with the reason of the first signal that is aborted; never resolves. */
export function untilAborted(...signals: AbortSignal[]): Promise<never> {
  const any = AbortSignal.any(signals);
  return new Promise((_resolve, reject) => {
    if (any.aborted) return reject(any.reason);
    any.addEventListener('abort', () => reject(any.reason), { once: true });
  });
}
