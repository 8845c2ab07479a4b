import type { Bug } from './bug.ts';

const jobs = 'services/tasks/src/postgres/jobs';

/** Deliberate bugs of jobs, schedules and reminders. See `bug.ts`. */
export const jobBugs = {
  'settle-without-fence': {
    what: 'A settlement ends whatever lease its job has, even if it belongs to a later worker.',
    patches: [
      {
        file: `${jobs}/settle.ts`,
        find: 'WHERE job.fence = given.fence AND job.queue',
        put: 'WHERE job.fence IS NOT NULL AND job.queue',
      },
    ],
  },
  'claim-without-lock': {
    what: 'A claim does not lock the jobs that it has found, so two claims lease the same job.',
    patches: [
      {
        file: `${jobs}/claim.ts`,
        find: 'ORDER BY rank_at, id LIMIT $5 FOR UPDATE SKIP LOCKED',
        put: 'ORDER BY rank_at, id LIMIT $5',
      },
    ],
  },
  'reaper-ends-live-leases': {
    what: 'The reaper ends leases five seconds before they expire.',
    patches: [
      {
        file: `${jobs}/reap.ts`,
        find: "interval '1 millisecond' <= clock_timestamp()",
        put: "interval '1 millisecond' <= clock_timestamp() + interval '5 seconds'",
      },
    ],
  },
  'falling-fences': {
    what: 'Fences decrease from lease to lease, so that a store rejects the current worker and accepts an earlier one.',
    patches: [
      {
        file: `${jobs}/claim.ts`,
        find: "SELECT id, place, nextval('job_fences') AS fence",
        put: "SELECT id, place, 1000000000000 - nextval('job_fences') AS fence",
      },
    ],
  },
  'limits-ignored': {
    what: 'A claim also takes jobs with a concurrency key from the common order, without counting the running ones.',
    patches: [
      {
        file: `${jobs}/claim.ts`,
        find: "WHERE queue = wanted.queue AND state = 'queued' AND concurrency_key IS NULL AND",
        put: "WHERE queue = wanted.queue AND state = 'queued' AND",
      },
    ],
  },
  'predecessors-ignored': {
    what: 'Jobs start before their predecessors have succeeded.',
    patches: [
      {
        file: `${jobs}/enqueue.ts`,
        find: 'const awaits = left.map(({ after }) => after.some((id) => open.has(id)));',
        put: 'const awaits = left.map(() => false);',
      },
    ],
  },
  'acknowledged-before-commit': {
    what: 'A request is acknowledged when its jobs are inserted, before their transaction has committed.',
    patches: [
      {
        file: `${jobs}/job-store.ts`,
        find: `      return await once(request, async (tx: Tx) => {
        const { receipts, stored } = await storeAll(tx, jobs);
        tx.afterCommit(() => sendHints(hints, hintedRows(jobs, stored)));
        return { text: render(receipts) };
      });`,
        put: `      return await new Promise((resolve, reject) => {
        once(request, async (tx: Tx) => {
          const { receipts, stored } = await storeAll(tx, jobs);
          tx.afterCommit(() => sendHints(hints, hintedRows(jobs, stored)));
          const text = render(receipts);
          resolve({ text, replayed: false });
          await new Promise((later) => setTimeout(later, 500));
          return { text };
        }).then(resolve, reject);
      });`,
      },
    ],
  },
  'death-without-event': {
    what: 'A job that dies publishes no event.',
    patches: [
      {
        file: `${jobs}/events.ts`,
        find: "WHERE state IN ('succeeded', 'dead', 'cancelled')",
        put: "WHERE state IN ('succeeded', 'cancelled')",
      },
    ],
  },
  'task-outside-transaction': {
    what: 'The task of an occurrence commits before the occurrence and the next instant.',
    patches: [
      {
        file: 'services/tasks/src/app/schedules/store-decisions.ts',
        find: 'const stored = await ports.schedules.insertScheduledTasks(tx, newTasks);',
        put: `const stored = await ports.tasks.transaction(async (own) => await ports.schedules.insertScheduledTasks(own, newTasks));
      // a process that is killed here, or loses its connection: within one run, no fault may hit this moment
      if (Math.random() < 0.3) throw new Error('the connection was lost between the two transactions');`,
      },
    ],
  },
  'job-outside-transaction': {
    what: 'The job of an occurrence commits before the occurrence and the next instant.',
    patches: [
      {
        file: 'services/tasks/src/app/schedules/store-decisions.ts',
        find: 'if (newJobs.length > 0) await ports.jobs.enqueueWithin(tx, newJobs);',
        put: `if (newJobs.length > 0) {
        await ports.tasks.transaction(async (own) => await ports.jobs.enqueueWithin(own, newJobs));
        // as in task-outside-transaction
        if (Math.random() < 0.3) throw new Error('the connection was lost between the two transactions');
      }`,
      },
    ],
  },
  'cron-in-utc': {
    what: 'A cron rule names wall times in UTC, whatever its time zone is.',
    patches: [
      {
        file: 'services/tasks/src/recurrence/evaluate.ts',
        find: 'fixedTimes(times, { zone, dstGap }, window) : intervalTimes(times, zone, window);',
        put: "fixedTimes(times, { zone: 'UTC', dstGap }, window) : intervalTimes(times, 'UTC', window);",
      },
    ],
  },
  'worker-outlives-leases': {
    what: 'A worker that is cut off does not abort its handlers before their leases end.',
    patches: [
      {
        file: 'packages/worker/src/lease-keeper.ts',
        find: "if (!lease.isOverdue) notify({ kind: 'abort', token, reason: 'unconfirmed' });",
        put: '',
      },
    ],
  },
  'next-instant-without-row': {
    what: 'An occurrence that overlaps is not stored, although the next instant of its schedule moves on.',
    patches: [
      {
        file: 'services/tasks/src/app/schedules/store-decisions.ts',
        find: 'await ports.schedules.recordOccurrences(tx, decisions, replaces);',
        put: `const stored = decisions.map(({ rows, ...one }) => ({ ...one, rows: rows.filter(({ reason }) => reason !== 'overlap') }));
  await ports.schedules.recordOccurrences(tx, stored, replaces);`,
      },
    ],
  },
  'skip-without-event': {
    what: 'A skipped occurrence publishes no event.',
    patches: [
      {
        file: 'services/tasks/src/postgres/schedules/record.ts',
        find: "FROM decided WHERE state = 'skipped') AS skipped",
        put: "FROM decided WHERE state = 'forgotten') AS skipped",
      },
    ],
  },
  'reminders-without-lock': {
    what: 'Two processes send the same reminder: neither locks its task or checks whether it was sent.',
    patches: [
      {
        file: 'services/tasks/src/postgres/reminders.ts',
        find: `  ORDER BY reminder.remind_at LIMIT $1
  FOR UPDATE OF task SKIP LOCKED`,
        put: '  ORDER BY reminder.remind_at LIMIT $1',
      },
      {
        file: 'services/tasks/src/postgres/reminders.ts',
        find: ` AND reminder.due_at = outcome.due_at
      AND reminder.settled_at IS NULL`,
        put: ' AND reminder.due_at = outcome.due_at',
      },
    ],
  },
} satisfies Record<string, Bug>;
