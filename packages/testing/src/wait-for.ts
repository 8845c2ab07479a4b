import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

export type WaitOptions = {
  /** The default is 15,000: three times the longest pause of a loop or a reconnection, to allow for a busy machine. */
  timeoutMs?: number;
  /** The expected event, as the end of the message "Waited 15000 ms for …". */
  what?: string;
};

/**
 * Checks every 20 ms until the condition returns a truthy value, and returns that value. A condition that throws counts as not met, so it may contain
 * assertions.
 * @throws after `timeoutMs`, with the last result or error of the condition.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 15_000, what = condition.toString() }: WaitOptions = {},
): Promise<Exclude<Awaited<T>, false | null | undefined | 0 | ''>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let last: { value: unknown } | { error: unknown };
    try {
      const value = await condition();
      if (value) return value as Exclude<Awaited<T>, false | null | undefined | 0 | ''>;
      last = { value };
    } catch (error) {
      last = { error };
    }
    if (performance.now() >= deadline) {
      const seen = 'error' in last ? `it threw ${String(last.error)}` : `it returned ${inspect(last.value)}`;
      throw new Error(
        `Waited ${timeoutMs} ms for ${what}; finally ${seen}.`,
        'error' in last ? { cause: last.error } : {},
      );
    }
    await delay(20);
  }
}
