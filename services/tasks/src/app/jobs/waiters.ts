import { createWait, type Wait } from './wait.ts';

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

type Entry = { queues: ReadonlySet<string>; wait: Wait };

export function createWaiters(): Waiters {
  const entries = new Set<Entry>();
  let isClosed = false;

  return {
    join(queues) {
      const entry: Entry = { queues: new Set(queues), wait: createWait() };
      entries.add(entry);
      return {
        async next(ms, hangUp) {
          if (!isClosed) await entry.wait.next(ms, hangUp);
        },
        leave: () => void entries.delete(entry),
      };
    },
    wake(queue, count) {
      let left = count;
      for (const { queues, wait } of entries) {
        if (left === 0) return;
        if (wait.isWoken() || !queues.has(queue)) continue;
        wait.wake();
        left -= 1;
      }
    },
    waiting() {
      const counts = new Map<string, number>();
      for (const { queues, wait } of entries) {
        if (wait.isWaiting()) for (const queue of queues) counts.set(queue, (counts.get(queue) ?? 0) + 1);
      }
      return counts;
    },
    isClosed: () => isClosed,
    close() {
      isClosed = true;
      for (const { wait } of entries) wait.wake();
    },
  };
}
