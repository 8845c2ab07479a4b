/** The longest wait for a change that the API accepts, in seconds. */
const longestWait = 25;
/** The part of an attempt's time that is kept for everything but the wait, in milliseconds. */
const reservedMs = 5_000;

/** Returns how many seconds a request may wait for a change, so that its response arrives within the time limit of an attempt: from 1 to 25. */
export function waitWithin(timeoutMs: number): number {
  return Math.max(1, Math.min(longestWait, Math.floor((timeoutMs - reservedMs) / 1_000)));
}
