/** Bounds of a back-off, in milliseconds, and the random share of each pause. */
export type BackOff = {
  baseMs: number;
  capMs: number;
  /**
   * `full` (the default) is random from zero to the bound. It spreads clients that failed together better than any alternative:
   * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
   * `equal` is at least half of the bound: for retries within one call, and for rows whose pause must not be close to zero.
   */
  jitter?: 'full' | 'equal';
};

/** Returns how long to wait after the n-th consecutive failure (counted from 1): a random share of `baseMs` · 2^(n−1), or of `capMs` if that is less. */
export function backOffMs(failures: number, { baseMs, capMs, jitter = 'full' }: BackOff): number {
  // 2^30 is beyond every cap; a larger power would only lose precision
  const bound = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return jitter === 'full' ? Math.random() * bound : bound / 2 + (Math.random() * bound) / 2;
}
