import { pause } from './abort.ts';
import { pauseMs } from './retry.ts';

/** The longest wait for a change that the API accepts, in seconds. */
const longestWait = 25;
/** The part of an attempt's time that is kept for everything but the wait, in milliseconds. */
const reservedMs = 5_000;
/** The part of a wait before which a response without a change is early. */
const early = 0.5;

/** Returns how many seconds a request may wait for a change, so that its response arrives within the time limit of an attempt: from 1 to 25. */
export function waitWithin(timeoutMs: number): number {
  return Math.max(1, Math.min(longestWait, Math.floor((timeoutMs - reservedMs) / 1_000)));
}

/**
 * Pauses after a response without a change that came early: a service that is about to stop ends all waits at once, and would get the next request at
 * once, too. `tookMs` is the time of the request, and `wait` the seconds that it might have waited. @throws the signal's reason when it is aborted.
 */
export async function pauseAfterEarlyResponse(
  tookMs: number,
  wait: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (tookMs < wait * 1_000 * early) await pause(pauseMs(1, undefined), signal);
}
