import { errorText } from '@taskwire/errors';
import type { Logger } from '@taskwire/telemetry';

/**
 * How long a claim outlives its process, and the interval at which a live process renews it, in milliseconds. Users hardly notice a delay of ten
 * seconds after a crash. Three renewals may be late or lost before another process takes over.
 */
export const lease = { ms: 10_000, renewEveryMs: 2_500 } as const;

export type Heartbeat = { stop(): void };

/**
 * Calls `renew` every `everyMs` until it is stopped. One renewal runs at a time, and missed renewals are not repeated. A failed renewal is logged and
 * retried at the next beat. The timer does not keep the process alive.
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
      .catch((error: unknown) => logger.warn(`${name}: could not renew leases`, { error: errorText(error) }))
      .finally(() => (renewing = false));
  }, everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/**
 * Whether a process may treat other processes as dead when their leases have expired. After a database outage, every lease has expired, even those of
 * live processes, so their owners get the duration of one lease to renew them.
 */
export type Steadiness = {
  /** Runs a round. A failed round restarts the waiting time. */
  during<T>(round: () => Promise<T>): Promise<T>;
  isSteady(): boolean;
};

export function createSteadiness(leaseMs: number): Steadiness {
  let lastFailureAt = -Infinity;
  return {
    async during(round) {
      try {
        return await round();
      } catch (error) {
        lastFailureAt = performance.now();
        throw error;
      }
    },
    isSteady: () => performance.now() - lastFailureAt >= leaseMs,
  };
}
