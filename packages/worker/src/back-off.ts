/** A service that asks for a pause of more than a minute is called again after one minute: it may have recovered. */
const longestRetryAfterMs = 60_000;

/** The limits of the pauses between attempts: the first one, which doubles, and the longest. */
export type Pauses = { firstMs: number; longestMs: number };

/** A random time up to a limit that doubles with each failure (full jitter), never earlier than the service asks: a fleet must not come back all at once. */
export function pauseMs({ firstMs, longestMs }: Pauses, failures: number, retryAfterMs: number | undefined): number {
  const jitter = Math.random() * Math.min(longestMs, firstMs * 2 ** failures);
  return retryAfterMs === undefined ? jitter : Math.min(longestRetryAfterMs, retryAfterMs) + jitter;
}
