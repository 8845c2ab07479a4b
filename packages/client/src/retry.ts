/** The first pause between attempts is at most `firstMs`, and each further one twice as long, up to `longestMs`. */
export type Pauses = { firstMs: number; longestMs: number };

/** A server that recovers within seconds gains nothing from longer pauses. */
const pausesOfCalls: Pauses = { firstMs: 500, longestMs: 8_000 };
/** If a server asks for a longer pause, the call fails and the caller decides. */
export const longestRetryAfterMs = 60_000;

/**
 * The pause before the next attempt: random up to a limit that doubles each time ("full jitter"), and added to the time that the server asks for, of
 * which a minute counts at most: callers that were refused together would come back together.
 */
export function pauseMs(
  retries: number,
  retryAfterMs: number | undefined,
  { firstMs, longestMs }: Pauses = pausesOfCalls,
  random: () => number = Math.random,
): number {
  return Math.min(longestRetryAfterMs, retryAfterMs ?? 0) + random() * Math.min(longestMs, firstMs * 2 ** retries);
}

/** The retries that a client may spend without a success. After that, a service that fails every call gets one request per call, not three. */
const budgetSize = 100;
/** The fraction of a retry that a success without a retry earns. */
const earned = 0.2;

/** Limits the retries of a client: each one is taken from the budget, and a success returns the retries that its call has spent. */
export class RetryBudget {
  #left = budgetSize;

  /** Takes a retry; returns false if none is left. */
  take(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  /** Returns the retries of a call that succeeded. */
  refund(retries: number): void {
    this.#left = Math.min(budgetSize, this.#left + (retries === 0 ? earned : retries));
  }
}

/** Statuses that mean "not now". */
const temporary = new Set([408, 429, 502, 503, 504]);

export function isTemporary({ status, code }: { status: number; code: string }): boolean {
  return temporary.has(status) || (status === 409 && code === 'idempotency_in_progress');
}

/** Whether a request with this response status may have been carried out. Rate limits and time-outs refuse a request before it is handled. */
export function mayHaveHappened(status: number): boolean {
  return status < 400 || status >= 500;
}
