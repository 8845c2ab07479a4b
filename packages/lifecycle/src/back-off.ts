/** Bounds of a back-off, in milliseconds. */
export type BackOff = { baseMs: number; capMs: number };

/**
 * How long to wait after the n-th failure in a row (from 1): anything from nothing to `baseMs` · 2^(n−1), at most `capMs`. Full jitter
 * spreads those who failed together better than any other: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function fullJitter(failures: number, { baseMs, capMs }: BackOff): number {
  // 2^30 is beyond every cap; more would only lose precision
  return Math.random() * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
}
