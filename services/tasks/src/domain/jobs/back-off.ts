/**
 * The pause before the n-th attempt after a failure, with full jitter: jobs that failed together, because a system that they call was down, are
 * retried spread out. 5 s cover a restart. Beyond an hour, shorter pauses would only add load.
 */
export const retryPause = { baseMs: 5_000, capMs: 3_600_000 } as const;

/** The longest pause after so many failures, from 1. The actual one is a random share of it. */
export function longestPauseMs(failures: number): number {
  // 2^20 times the base is far beyond the cap
  return Math.min(retryPause.capMs, retryPause.baseMs * 2 ** Math.min(failures - 1, 20));
}
