import { check } from '../../check/check.ts';
import type { Rule } from '../../check/violation.ts';
import type { Evidence } from '../../evidence.ts';
import type { AttemptRow, JobAct, JobOrder, JobRow } from '../../job-evidence.ts';
import { smallRun } from '../small-run.ts';

/** A time of the run, in seconds after its start. */
export function at(seconds: number): string {
  return `2026-11-20T10:${String(10 + Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}.000000Z`;
}

export const [early, late] = ['job-early', 'job-late'];

const order = (name: string, given: Partial<JobOrder> = {}): JobOrder => ({
  ...{ name, priority: 0, maxAttempts: 20, runAt: null, uniqueKey: null, concurrencyKey: null, after: [] },
  ...given,
});

const job = (id: string, name: string, given: Partial<JobRow>): JobRow => ({
  ...{ id, name, state: 'succeeded', priority: 0, unique_key: null, concurrency_key: null },
  ...{ cancel_requested: false, reason: null, result_fence: null, settled_at: null },
  ...given,
});

const attempt = (fence: number, job_id: string, outcome: string, leased: number, ended: number): AttemptRow => {
  return { fence, job_id, outcome, leased_at: at(leased), ended_at: at(ended) };
};

const lease = (fence: number, jobId: string, from: number): JobAct => {
  return { kind: 'lease', at: at(from), worker: 'worker 1', jobId, fence, name: 'j', expiresAt: at(from + 15) };
};

const write = (fence: number, jobId: string, when: number): JobAct => {
  return { kind: 'write', at: at(when), jobId, fence, accepted: true };
};

const settle = (fence: number, jobId: string, sent: number): Extract<JobAct, { kind: 'settle' }> => ({
  ...{ kind: 'settle', sentAt: at(sent), jobId, fence, ending: 'completed', outcome: 'settled', state: 'succeeded' },
});

/**
 * The jobs of a run with one fault: the second job waits for the first, its worker stops, and another worker completes it. A third job dies, is
 * replayed, and succeeds.
 */
export function jobsRun(): Evidence {
  const run = smallRun();
  const replayed = 'job-replayed';
  run.jobActs = [
    {
      ...{ kind: 'enqueue', at: at(0), outcome: 'acknowledged', repeated: [] },
      jobs: [order('j1'), order('j2', { after: [early] })],
      receipts: [early, late].map((id) => ({ id, isExisting: false })),
    },
    {
      ...{ kind: 'enqueue', at: at(0), outcome: 'acknowledged', repeated: [[replayed]] },
      jobs: [order('j3', { runAt: at(1) })],
      receipts: [{ id: replayed, isExisting: false }],
    },
    { kind: 'enqueue', at: at(0), outcome: 'unknown', jobs: [order('j4'), order('j5')], receipts: [], repeated: [] },
    ...[lease(1, early, 1), write(1, early, 1), settle(1, early, 2)],
    ...[lease(2, late, 3), write(2, late, 3)],
    { kind: 'heartbeat', at: at(4), fence: 2, expiresAt: at(19) },
    ...[lease(3, late, 20), write(3, late, 20), settle(3, late, 21)],
    { ...write(2, late, 22), accepted: false } as JobAct,
    { ...settle(2, late, 22), outcome: 'lease_lost', state: null },
    ...[lease(4, replayed, 5)],
    { ...settle(4, replayed, 6), ending: 'failed', state: 'dead' },
    { kind: 'replay', at: at(7), jobId: replayed, outcome: 'acknowledged' },
    ...[lease(5, replayed, 8), settle(5, replayed, 9)],
  ];
  run.world.jobs = [
    job(early, 'j1', { result_fence: 1, settled_at: at(2) }),
    job(late, 'j2', { result_fence: 3, settled_at: at(21) }),
    job(replayed, 'j3', { result_fence: 5, settled_at: at(9) }),
  ];
  run.world.jobAttempts = [
    attempt(1, early, 'completed', 1, 2),
    attempt(2, late, 'crashed', 3, 19),
    attempt(3, late, 'completed', 20, 21),
    attempt(4, replayed, 'failed', 5, 6),
    attempt(5, replayed, 'completed', 8, 9),
  ];
  run.world.jobAudit = [{ job_id: replayed, action: 'replay' }];
  const ends = [
    [early, 'succeeded', 2],
    [late, 'succeeded', 21],
    [replayed, 'dead', 6],
    [replayed, 'succeeded', 9],
  ] as const;
  for (const [id, state, when] of ends) {
    const event = { messageId: `${id}-${state}`, type: `tasks.job.${state}`, aggregateId: id, timestamp: at(when) };
    run.events.push({ ...event, actor: null, named: null });
  }
  return run;
}

/** Returns the rules that a run breaks after this change. */
export function brokenBy(change: (run: Evidence) => void, make: () => Evidence = jobsRun): Rule[] {
  const run = make();
  change(run);
  return [...new Set(check(run).map(({ rule }) => rule))];
}
