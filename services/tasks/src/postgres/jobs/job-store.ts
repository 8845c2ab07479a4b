import { query, type Database, type Tx } from '@taskwire/postgres';
import type {
  JobEnqueuing,
  JobHints,
  JobLeases,
  JobLimiting,
  JobMarks,
  JobOperating,
  JobReads,
  JobUpkeep,
  NewJob,
} from '../../app/jobs/ports.ts';
import type { TaskWrites } from '../../app/ports.ts';
import { countClaimable, mayHaveKeyed, runClaim, type ClaimState } from './claim.ts';
import { areSimple, receiptOf, storeAll, storeSimple, type StoredJob } from './enqueue.ts';
import { createFloors, type Floors } from './floors.ts';
import { extendingLeases } from './heartbeat.ts';
import { sendHints } from './hints.ts';
import { limitingJobs } from './limits.ts';
import { operatingJobs } from './operate.ts';
import { promoting } from './promote.ts';
import { createQueuedKeys, type QueuedKeys } from './queued-keys.ts';
import { jobReads } from './reads.ts';
import { reaping } from './reap.ts';
import { settlingJobs } from './settle.ts';

export type JobStore = JobEnqueuing &
  JobReads &
  JobMarks &
  JobLeases &
  JobOperating &
  JobLimiting &
  JobUpkeep & { floors: Floors; keys: QueuedKeys };

/** A busy fleet sends something every few milliseconds, but the reaper only checks for a sign of life in the last five seconds. */
const heardEveryMs = 1_000;

export const noteHeard = { name: 'jobs.note_heard', text: 'UPDATE job_contact SET heard_at = clock_timestamp()' };

/**
 * The PostgreSQL store of jobs. `once` is the task store's, because jobs share the tasks' table of idempotency keys. `now` is the clock of the reaper and of
 * claims, in milliseconds.
 */
export function createJobStore(
  db: Database,
  { once }: Pick<TaskWrites, 'once'>,
  given: JobHints,
  now: () => number = () => performance.now(),
): JobStore {
  const floors = createFloors(db.pool);
  const keys = createQueuedKeys(db.pool);
  const state: ClaimState = { floors, keys, saturated: new Map(), now, random: () => Math.random() };
  let heardAt = -Infinity;
  const hints: JobHints = {
    ...given,
    queued(queue, jobs) {
      for (const { key, rankAt } of jobs) if (key === null) floors.lower(queue, rankAt);
      keys.note(queue, jobs);
      given.queued(queue, jobs);
    },
    freed(queue, count) {
      state.saturated.delete(queue);
      given.freed(queue, count);
    },
  };

  return {
    floors,
    keys,
    async enqueue({ jobs, request }, render) {
      if (request === undefined && areSimple(jobs)) {
        const stored = await storeSimple(db.pool, jobs);
        sendHints(hints, hintedRows(jobs, stored));
        const receipts = stored.map((row, place) =>
          receiptOf(jobs[place] ?? { queue: '', kind: '' }, row, { isExisting: false }),
        );
        return { text: render(receipts), replayed: false };
      }
      return await once(request, async (tx: Tx) => {
        const { receipts, stored } = await storeAll(tx, jobs);
        tx.afterCommit(() => sendHints(hints, hintedRows(jobs, stored)));
        return { text: render(receipts) };
      });
    },

    async enqueueWithin(tx, given) {
      const jobs = given.map(({ unique, ...job }) => ({
        ...job,
        unique: unique && ({ ...unique, onConflict: 'reject' } as const),
      }));
      const { receipts, stored } = await storeAll(tx, jobs);
      tx.afterCommit(() => sendHints(hints, hintedRows(jobs, stored)));
      return receipts;
    },

    ...jobReads(db.pool),
    once,
    ...operatingJobs(hints),
    ...limitingJobs(db.pool, hints),

    async claim(claim) {
      const jobs = await runClaim(db, claim, state);
      // it may have left jobs with a key, of which `countClaimable` counts one
      if (jobs.length === claim.limit)
        for (const queue of claim.queues) if (mayHaveKeyed(state, queue)) given.freed(queue, 1);
      return jobs;
    },
    async countClaimable(queues, limit) {
      await keys.ready(queues);
      const values = [queues, floors.of(queues), limit, keys.unreadFrom(queues)];
      type Row = { queue: string; count: number; has_unread: boolean };
      const rows = await query<Row>(db.pool, { ...countClaimable, values });
      await keys.readNew(rows.filter(({ has_unread: hasUnread }) => hasUnread).map(({ queue }) => queue));
      const counts = rows.map(({ queue, count }) => [queue, count + Number(keys.has(queue))] as const);
      return new Map(counts.filter(([, count]) => count > 0));
    },
    extend: extendingLeases(db.pool),
    settle: settlingJobs(db, hints),
    async heard() {
      if (performance.now() - heardAt < heardEveryMs) return;
      heardAt = performance.now();
      await query(db.pool, noteHeard);
    },

    ...promoting(db, hints),
    reap: reaping(db, hints, now),
  };
}

function hintedRows(jobs: readonly NewJob[], stored: readonly StoredJob[]) {
  return stored.map(({ place, ...row }) => {
    const { queue = '', concurrencyKey = null } = jobs[place] ?? {};
    return { ...row, queue, concurrency_key: concurrencyKey };
  });
}
