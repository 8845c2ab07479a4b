import { problem } from '@taskwire/errors';

export type UserLimit = {
  /** Counts one attempt of a user. @throws Problem `rate_limited` with `Retry-After` when the user made too many. */
  take(userId: string): void;
  /** How many users it remembers. */
  size(): number;
};

const minuteMs = 60_000;
/** Users who are below their limit again are looked for when this many are remembered, or twice as many as are left after such a look. */
const fewestToPrune = 1_000;

/**
 * Lets each user do something so often a minute: a minute's worth at once, then as fast as that minute refills. Each process counts for itself, so
 * n processes let through n times as much; what a request costs stays bounded, and the hot path needs no query for it.
 */
export function createUserLimit(o: { what: string; perMinute: number; now?: () => number }): UserLimit {
  const { what, perMinute, now = () => performance.now() } = o;
  const intervalMs = minuteMs / perMinute;
  /** When each user has the whole minute's worth again (generic cell rate algorithm). */
  const fullAt = new Map<string, number>();
  let pruneAt = fewestToPrune;

  function prune(at: number): void {
    for (const [userId, full] of fullAt) if (full <= at) fullAt.delete(userId);
    pruneAt = Math.max(fewestToPrune, fullAt.size * 2);
  }

  return {
    take(userId) {
      const at = now();
      const full = Math.max(at, fullAt.get(userId) ?? 0) + intervalMs;
      const waitMs = full - at - minuteMs;
      // adding up fractions must not cost the last attempt of the minute
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
