import { setTimeout as delay } from 'node:timers/promises';

/**
 * An event or notification takes milliseconds on a machine that is not overloaded. After a rollout, consumers need up to five seconds to take over, and
 * this is three times that.
 */
export const patienceMs = 15_000;

/** Asks until there is a value. @throws when that takes too long; also what `ask` throws, at once. */
export async function until<T>(what: string, everyMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + patienceMs;
  while (performance.now() < deadline) {
    const found = await ask();
    if (found !== undefined) return found;
    await delay(everyMs);
  }
  throw new Error(`no ${what} within ${patienceMs / 1000} s`);
}
