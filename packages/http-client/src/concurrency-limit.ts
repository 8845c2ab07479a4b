/** Releases the slot taken by a call; safe to call twice. */
export type Release = () => void;

export type ConcurrencyLimit = {
  /**
   * Waits for a slot among the running calls, in the order of requests. Returns `undefined` if the queue is full. A signal aborted while waiting
   * removes the caller from the queue and rejects with the signal's reason.
   */
  take(signal: AbortSignal): Promise<Release | undefined>;
  readonly running: number;
  readonly waiting: number;
};

/**
 * Limits how many calls run and how many wait. It is deliberately outside the breaker: opossum counts calls over its `capacity` as failures of the
 * service, so a burst of calls would open the breaker of a healthy service.
 */
export function createConcurrencyLimit(maxRunning: number, maxWaiting: number): ConcurrencyLimit {
  // a Set keeps the insertion order, and lets a caller leave from the middle
  const queue = new Set<() => void>();
  let running = 0;

  function occupy(): Release {
    running += 1;
    let isOccupied = true;
    return () => {
      if (!isOccupied) return;
      isOccupied = false;
      running -= 1;
      const [next] = queue;
      next?.();
    };
  }

  return {
    get running() {
      return running;
    },
    get waiting() {
      return queue.size;
    },
    async take(signal) {
      signal.throwIfAborted();
      if (running < maxRunning && queue.size === 0) return occupy();
      if (queue.size >= maxWaiting) return undefined;
      return await new Promise<Release>((resolve, reject) => {
        const enter = () => {
          leave();
          resolve(occupy());
        };
        const onAbort = () => {
          leave();
          reject(signal.reason as Error);
        };
        const leave = () => {
          queue.delete(enter);
          signal.removeEventListener('abort', onAbort);
        };
        queue.add(enter);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
  };
}
