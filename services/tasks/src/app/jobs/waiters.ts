/** One waiting claim. */
export type Waiter = {
  /** Resolves when a job may have been queued since the last call, when the claim must end, or after `ms`. */
  next(ms: number, hangUp: AbortSignal): Promise<void>;
  leave(): void;
};

/** The waiting claims of this process, served in the order in which they came. */
export type Waiters = {
  join(queues: readonly string[]): Waiter;
  /** Wakes up to `count` claims that wait for this queue. */
  wake(queue: string, count: number): void;
  /** The number of waiting claims by queue. */
  waiting(): ReadonlyMap<string, number>;
  isClosed(): boolean;
  /** Ends all current and future waits, because the process is about to stop. */
  close(): void;
};

type Entry = { queues: ReadonlySet<string>; isWoken: boolean; wake: (() => void) | undefined };

export function createWaiters(): Waiters {
  const entries = new Set<Entry>();
  let isClosed = false;

  function wakeOne(entry: Entry): void {
    entry.isWoken = true;
    entry.wake?.();
  }

  async function next(entry: Entry, ms: number, hangUp: AbortSignal): Promise<void> {
    if (!entry.isWoken && !isClosed && !hangUp.aborted && ms > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      const end = () => resolve();
      hangUp.addEventListener('abort', end, { once: true });
      entry.wake = resolve;
      await promise;
      clearTimeout(timer);
      hangUp.removeEventListener('abort', end);
      entry.wake = undefined;
    }
    entry.isWoken = false;
  }

  return {
    join(queues) {
      const entry: Entry = { queues: new Set(queues), isWoken: false, wake: undefined };
      entries.add(entry);
      return {
        next: async (ms, hangUp) => await next(entry, ms, hangUp),
        leave: () => void entries.delete(entry),
      };
    },
    wake(queue, count) {
      let left = count;
      for (const entry of entries) {
        if (left === 0) return;
        if (entry.isWoken || !entry.queues.has(queue)) continue;
        wakeOne(entry);
        left -= 1;
      }
    },
    waiting() {
      const counts = new Map<string, number>();
      for (const { queues, wake } of entries) {
        if (wake !== undefined) for (const queue of queues) counts.set(queue, (counts.get(queue) ?? 0) + 1);
      }
      return counts;
    },
    isClosed: () => isClosed,
    close() {
      isClosed = true;
      for (const entry of entries) wakeOne(entry);
    },
  };
}
