import { errorText } from '@taskwire/errors';
import type { Logger } from '@taskwire/telemetry';

/**
 * How long a claim outlives its process, and how often a live process renews it, in milliseconds. Ten seconds after a crash still feels immediate to
 * users. Three renewals may be late or lost before another process takes over.
 */
export const lease = { ms: 10_000, renewEveryMs: 2_500 } as const;

export type Heartbeat = { stop(): void };

/**
 * Calls `renew` every `everyMs` until it is stopped. One renewal runs at a time, and none are caught up after a pause. A failed renewal is logged and
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
      .catch((error: unknown) => logger.warn(`${name}: leases could not be renewed`, { error: errorText(error) }))
      .finally(() => (renewing = false));
  }, everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/**
 * Whether a process may treat other processes as dead when their leases have expired. After a database outage every lease has expired, even those of
 * live processes. For the length of one lease, the owners have the chance to renew them.
 */
export type Steadiness = {
  /** Runs a round. A failed round restarts the waiting time. */
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
