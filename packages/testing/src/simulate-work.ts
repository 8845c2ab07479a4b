import { setTimeout as delay } from 'node:timers/promises';

/**
 * Takes as long as the simulated work of a handler, a broker or a writer. To wait until something has happened, use `waitFor`, events or `tick()`
 * instead.
 */
export async function simulateWork(ms: number): Promise<void> {
  await delay(ms);
}
