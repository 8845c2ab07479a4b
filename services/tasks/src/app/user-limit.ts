import { problem } from '@taskwire/errors';

export type UserLimit = {
  /**
   * Counts one attempt by a user. @throws Problem `rate_limited` with `Retry-After` when the user exceeds the limit.
   */
  take(userId: string): void;
  /** The number of users in memory. */
  size(): number;
};

const minuteMs = 60_000;
/**
 * Pruning of users below their limit starts at this many entries, or at twice as many as remained after the last
 * pruning.
 */
const pruneThreshold = 1_000;

/**
 * Rate-limits an action per user: a burst of one minute's allowance, which then refills at a steady rate. Each process
 * counts separately, so n processes allow n times as much. The cost of requests still stays bounded, and the hot path
 * needs no query.
 */
export function createUserLimit(o: { what: string; perMinute: number; now?: () => number }): UserLimit {
  const { what, perMinute, now = () => performance.now() } = o;
  const intervalMs = minuteMs / perMinute;
  /** The time at which each user's allowance is full again (generic cell rate algorithm). */
  const fullAt = new Map<string, number>();
  let pruneAt = pruneThreshold;

  function prune(at: number): void {
    for (const [userId, full] of fullAt) if (full <= at) fullAt.delete(userId);
    pruneAt = Math.max(pruneThreshold, fullAt.size * 2);
  }

  return {
    take(userId) {
      const at = now();
      const full = Math.max(at, fullAt.get(userId) ?? 0) + intervalMs;
      const waitMs = full - at - minuteMs;
      // the tolerance keeps rounding errors of added fractions from rejecting the last attempt of the minute
      if (waitMs > intervalMs / 2) {
        const seconds = Math.max(1, Math.ceil(waitMs / 1000));
        throw problem('rate_limited', `You can ${what} ${perMinute} times a minute. Try again in ${seconds} s.`, {
          headers: { 'Retry-After': String(seconds) },
        });
      }
      fullAt.set(userId, full);
      if (fullAt.size >= pruneAt) prune(at);
    },
    size: () => fullAt.size,
  };
}
