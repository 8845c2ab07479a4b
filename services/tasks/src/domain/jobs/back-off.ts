/**
 * The pause before the n-th attempt after a failure, with full jitter: many jobs that failed together, because what they call was down, come back spread
 * out. 5 s let a restart pass, and after an hour a shorter one would only add load.
 */
export const retryPause = { baseMs: 5_000, capMs: 3_600_000 } as const;

/** The longest pause after so many failures, from 1. The actual one is a random share of it. */
export function longestPauseMs(failures: number): number {
  // 2^20 times the base is far beyond the cap
  return Math.min(retryPause.capMs, retryPause.baseMs * 2 ** Math.min(failures - 1, 20));
}
