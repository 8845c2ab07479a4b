import { claimedJobId } from './claimed-job-id.ts';
import type { JobLeases, JobMarks, JobOperating } from './ports.ts';
import { createWait, type Wait } from './wait.ts';

/** One request that watches a job. */
export type Watcher = {
  /** Resolves when the job may no longer be as its mark says, when the request must end, or after `ms`. */
  next(mark: string, ms: number, hangUp: AbortSignal): Promise<void>;
  leave(): void;
};

/** The requests of this process that watch jobs. */
export type Watchers = {
  join(jobId: string): Watcher;
  /** Wakes the requests that watch this job. Costs a look-up in a map. */
  wake(jobId: string): void;
  /** The jobs for which requests wait. */
  watched(): string[];
  /** Wakes the requests whose jobs, among these, have another mark or are gone. */
  compare(jobIds: readonly string[], marks: ReadonlyMap<string, string>): void;
  isClosed(): boolean;
  /** Ends all current and future waits, because the process is about to stop. */
  close(): void;
};

/** `mark` is that of the state which the client has. */
type Entry = { mark: string; wait: Wait };

/** Jobs of a statement that looks for changes, so that its time is limited. */
const mostLookedAt = 1_000;

export function createWatchers(): Watchers {
  const byJob = new Map<string, Set<Entry>>();
  let isClosed = false;

  function leave(jobId: string, entry: Entry): void {
    const entries = byJob.get(jobId);
    entries?.delete(entry);
    if (entries?.size === 0) byJob.delete(jobId);
  }

  return {
    join(jobId) {
      const entry: Entry = { mark: '', wait: createWait() };
      byJob.set(jobId, (byJob.get(jobId) ?? new Set()).add(entry));
      return {
        async next(mark, ms, hangUp) {
          entry.mark = mark;
          if (!isClosed) await entry.wait.next(ms, hangUp);
        },
        leave: () => leave(jobId, entry),
      };
    },
    wake(jobId) {
      for (const { wait } of byJob.get(jobId) ?? []) wait.wake();
    },
    watched: () =>
      [...byJob].flatMap(([jobId, entries]) => ([...entries].some(({ wait }) => wait.isWaiting()) ? [jobId] : [])),
    compare(jobIds, marks) {
      for (const jobId of jobIds) {
        for (const { mark, wait } of byJob.get(jobId) ?? []) {
          if (wait.isWaiting() && mark !== marks.get(jobId)) wait.wake();
        }
      }
    },
    isClosed: () => isClosed,
    close() {
      isClosed = true;
      for (const entries of byJob.values()) for (const { wait } of entries) wait.wake();
    },
  };
}

/** Looks at all watched jobs, for changes that other processes made. */
export async function lookAtWatched({ jobs, watchers }: { jobs: JobMarks; watchers: Watchers }): Promise<void> {
  const watched = watchers.watched();
  for (let start = 0; start < watched.length; start += mostLookedAt) {
    const part = watched.slice(start, start + mostLookedAt);
    watchers.compare(part, await jobs.readMarks(part));
  }
}

type Changes = Pick<JobLeases, 'claim' | 'extend' | 'settle'> & Pick<JobOperating, 'cancel'>;

/** The same operations on jobs. In addition, they wake the requests of this process that watch the changed jobs, as a hint. */
export function wakingWatchers<J extends Changes>(jobs: J, watchers: Watchers): J {
  return {
    ...jobs,
    async claim(claim) {
      const claimed = await jobs.claim(claim);
      for (const job of claimed) watchers.wake(claimedJobId(job));
      return claimed;
    },
    async extend(leases, queues) {
      const extended = await jobs.extend(leases, queues);
      // a heartbeat without progress changes nothing that a reader sees
      for (const { id, progress } of leases) if (progress !== null) watchers.wake(id);
      return extended;
    },
    async settle(settlements, queues) {
      const settled = await jobs.settle(settlements, queues);
      for (const { lease } of settlements) watchers.wake(lease.id);
      return settled;
    },
    async cancel(tx, id, by) {
      const cancelled = await jobs.cancel(tx, id, by);
      tx.afterCommit(() => watchers.wake(id));
      return cancelled;
    },
  };
}
