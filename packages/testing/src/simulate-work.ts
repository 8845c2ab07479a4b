import { setTimeout as delay } from 'node:timers/promises';

/**
 * Takes the time that simulated work takes: of a handler, a broker, a writer. It is not for waiting until something has happened; `waitFor`, events
 * and `tick()` are.
 */
export async function simulateWork(ms: number): Promise<void> {
  await delay(ms);
}
