/** The clock of a database, read without asking it. */
export type DatabaseClock = {
  /** Notes the time that the database has just returned, in microseconds since 1970. */
  note(micros: number): void;
  /** Returns the time of the database's clock, in microseconds since 1970. Only valid after the first `note`. */
  now(): number;
};

/** A quartz clock drifts by at most 100 microseconds a second, so an offset of this age is wrong by at most 1 ms. */
const windowMs = 5_000;

/**
 * Follows the clock of a database with the monotonic clock of this process. The times of a journey are compared with those that the database writes,
 * and the wall clock of another machine may be wrong by seconds.
 *
 * A response takes some time to arrive, so each noted time is late by an unknown delay, and its offset is too small. The largest offset of the last 5
 * to 10 s therefore has the shortest delay. The result is never ahead of the database's clock, and usually behind by less than a millisecond.
 */
export function createDatabaseClock(monotonic: () => number = () => performance.now()): DatabaseClock {
  let since = -Infinity;
  let latest = -Infinity;
  let previous = -Infinity;
  return {
    note(micros) {
      const now = monotonic();
      const offset = micros - now * 1_000;
      if (now - since >= windowMs) {
        previous = now - since < 2 * windowMs ? latest : -Infinity;
        latest = offset;
        since = now;
      } else latest = Math.max(latest, offset);
    },
    now: () => Math.round(Math.max(latest, previous) + monotonic() * 1_000),
  };
}
