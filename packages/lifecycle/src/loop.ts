import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import type { Logger } from '@taskwire/telemetry';
import { backOffMs } from './back-off.ts';
import type { Component } from './process.ts';

/** The result of one round of a loop: `more` starts the next round at once, `idle` waits for the interval or a wake-up. */
export type Progress = 'more' | 'idle';

/** A component that repeats rounds of work until it is stopped. */
export type Loop = Component & {
  /** A hint that work exists. The next round starts at once, or right after the one that is running. Never waits and never throws. */
  wake(): void;
  /** Runs one round now, for tests and commands, after any round that is already running. Rejects with the error of the round. */
  tick(): Promise<Progress>;
};

export type LoopOptions = {
  name: string;
  /** Runs one round. `signal` is aborted when the loop stops; a rejection after that is not an error. */
  tick(signal: AbortSignal): Promise<Progress>;
  /** The longest pause between two rounds, in milliseconds. Each pause is a random 80 to 120 % of it, so that replicas drift apart. */
  intervalMs: number;
  logger: Logger;
  /** The longest pause after repeated failures, in milliseconds. */
  maxBackOffMs?: number | undefined;
};

/**
 * Creates a loop that runs one round at a time. Wake-ups are hints and may be lost with the process; the interval is the guarantee. A failed round is
 * logged, and the next one waits with exponential back-off and full jitter. Wake-ups do not shorten that pause, so that many of them cannot overload
 * a dependency that is down.
 */
export function createLoop(options: LoopOptions): Loop {
  const { name, intervalMs, logger } = options;
  const maxBackOffMs = options.maxBackOffMs ?? 15_000;
  let stopping = new AbortController();
  let running: Promise<void> | undefined;
  let round: Promise<unknown> = Promise.resolve();
  let woken = false;
  let endPause: (() => void) | undefined;

  async function tick(): Promise<Progress> {
    const next = round.then(async () => await options.tick(stopping.signal));
    round = next.catch(() => undefined);
    return await next;
  }

  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    await delay(ms, undefined, { signal }).catch(() => undefined);
  }

  /** Pauses until it is woken. A busy loop is woken hundreds of times per second, which is often enough for the cost of an AbortController to show. */
  async function pauseUntilWoken(ms: number, signal: AbortSignal): Promise<void> {
    const ended = Promise.withResolvers<void>();
    const end = (): void => ended.resolve();
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
    endPause = end;
    await ended.promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    endPause = undefined;
  }

  async function run(): Promise<void> {
    const { signal } = stopping;
    let failures = 0;
    while (!signal.aborted) {
      woken = false;
      try {
        const progress = await tick();
        if (failures > 0) logger.info(`${name} recovered`, { failures });
        failures = 0;
        if (progress === 'more' || woken || signal.aborted) continue;
        await pauseUntilWoken(intervalMs * (0.8 + 0.4 * Math.random()), signal);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        logger.warn(`${name} failed; will retry`, { failures, error: errorText(error) });
        await pause(backOffMs(failures, { baseMs: 200, capMs: maxBackOffMs }), signal);
      }
    }
  }

  return {
    name,
    tick,
    wake() {
      woken = true;
      endPause?.();
    },
    async start() {
      if (running !== undefined) return;
      stopping = new AbortController();
      running = run();
    },
    async stop() {
      stopping.abort();
      await running;
      await round;
      running = undefined;
    },
  };
}
