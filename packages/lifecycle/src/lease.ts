import { errorText } from '@taskwire/errors';
import type { Logger } from '@taskwire/telemetry';

/**
 * How long a claim outlives its process, and how often a living process renews it, in milliseconds. Ten seconds is what people take for
 * "at once after a crash"; three renewals may be late or lost before another process takes over.
 */
export const lease = { ms: 10_000, renewEveryMs: 2_500 } as const;

export type Heartbeat = { stop(): void };

/**
 * Calls `renew` every `everyMs` until it is stopped: one renewal at a time, and no burst of them after a pause. A renewal that fails is logged and
 * tried again at the next beat. The timer does not keep the process alive.
 */
export function startHeartbeat(options: {
  name: string;
  everyMs?: number;
  renew: () => Promise<void>;
  logger: Logger;
}): Heartbeat {
  const { name, everyMs = lease.renewEveryMs, logger } = options;
  let renewing = false;
  const timer = setInterval(() => {
    if (renewing) return;
    renewing = true;
    options
      .renew()
      .catch((error: unknown) => logger.warn(`${name}: leases could not be renewed`, { error: errorText(error) }))
      .finally(() => (renewing = false));
  }, everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/**
 * Whether a process may call others dead by their leases. After an outage of the database every lease has run out, whoever lives; for one
 * lease's time its owners have the chance to renew it.
 */
export type Steadiness = {
  /** Runs a round; one that fails starts the time anew. */
  during<T>(round: () => Promise<T>): Promise<T>;
  isSteady(): boolean;
};

export function createSteadiness(leaseMs: number): Steadiness {
  let since = -Infinity;
  return {
    async during(round) {
      try {
        return await round();
      } catch (error) {
        since = performance.now();
        throw error;
      }
    },
    isSteady: () => performance.now() - since >= leaseMs,
  };
}
