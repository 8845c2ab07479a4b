import type { Verdict } from '../../domain/schedules/decide.ts';
import type { LastRun, OccurrenceRow, Schedule } from '../../domain/schedules/schedule.ts';
import type { Progress, Situation } from './ports.ts';
import { runOccurrence, type Step } from './run-occurrence.ts';

type Outcome = {
  rows: OccurrenceRow[];
  steps: Step[];
  progress: Omit<Progress, 'nextAt' | 'dueAt' | 'lastAt' | 'zoneDatabase'>;
};

/**
 * The outcome of verdicts, in order. Ends when the schedule pauses itself, or awaits the end of a run. The end of a job counts once, when the next
 * occurrence would run.
 */
export function outcomeOf(
  schedule: Schedule,
  verdicts: readonly Verdict[],
  { now, situation: { last: lastRun, hindrance } }: { now: number; situation: Situation },
): Outcome {
  const { lastTaskId, lastJobId, queuedAt, awaitsEnd, failures, pausedAt, pauseReason } = schedule;
  const state = { lastTaskId, lastJobId, queuedAt, awaitsEnd, failures, pausedAt, pauseReason };
  const [rows, steps]: [OccurrenceRow[], Step[]] = [[], []];
  let last = lastRun;
  for (const { at, verdict } of verdicts) {
    if (verdict === 'run') {
      Object.assign(state, countLast(state, last));
      if (isPausedBy(schedule, state)) return { rows, steps, progress: pausedFor(state, now) };
      const run = runUnlessOverlapping({ ...schedule, ...state }, { at, last, hindrance });
      rows.push(run.row);
      steps.push(...run.steps);
    } else rows.push(skipped(at, verdict));
    const row = rows.at(-1);
    if (row?.state === 'queued') state.queuedAt = at;
    if (row?.state === 'ran') {
      Object.assign(state, afterRun({ ...schedule, ...state }, row));
      last = 'unfinished';
    }
    if (state.awaitsEnd) break;
    if (row?.state !== 'failed') continue;
    state.failures += 1;
    if (isPausedBy(schedule, state)) return { rows, steps, progress: pausedFor(state, now) };
  }
  return { rows, steps, progress: state };
}

/**
 * Counts how the last job ended: a dead job is a failure, and a job that succeeded resets the count of consecutive failures. The job is then cleared
 * from the schedule, so it counts once.
 */
export function countLast(
  { failures, lastJobId }: Pick<Schedule, 'failures' | 'lastJobId'>,
  last: LastRun,
): Pick<Schedule, 'failures' | 'lastJobId'> {
  if (lastJobId !== null && last === 'failed') return { failures: failures + 1, lastJobId: null };
  if (lastJobId !== null && last === 'succeeded') return { failures: 0, lastJobId: null };
  return { failures, lastJobId };
}

export function isPausedBy({ pauseAfterFailures }: Schedule, { failures }: Pick<Schedule, 'failures'>): boolean {
  return failures >= pauseAfterFailures;
}

/** The state of a schedule that pauses after consecutive failures. */
export function pausedFor<S>(state: S, now: number): S & { pausedAt: number; pauseReason: 'failures' } {
  return { ...state, pausedAt: now, pauseReason: 'failures' };
}

/** The fields of a schedule that a run changes. Creating a task resets the count of failures, because tasks report no failures. */
export function afterRun(
  { regenerate, failures }: Schedule,
  { taskId, jobId }: Pick<OccurrenceRow, 'taskId' | 'jobId'>,
): Pick<Schedule, 'lastTaskId' | 'lastJobId' | 'awaitsEnd' | 'failures'> {
  const last = { lastTaskId: taskId, lastJobId: jobId, awaitsEnd: regenerate === 'on_completion' };
  return { ...last, failures: taskId === null ? failures : 0 };
}

export function skipped(at: number, reason: Exclude<OccurrenceRow['reason'], null | 'not_permitted'>): OccurrenceRow {
  return { at, cause: 'rule', state: 'skipped', reason, taskId: null, jobId: null };
}

function runUnlessOverlapping(
  schedule: Schedule,
  { at, last, hindrance }: Situation & { at: number },
): { row: OccurrenceRow; steps: Step[] } {
  const { overlap, queuedAt, lastTaskId, lastJobId } = schedule;
  const run = runOccurrence(schedule, { at, cause: 'rule' }, { hindrance });
  if (overlap === 'allow' || last !== 'unfinished') return run;
  switch (overlap) {
    case 'skip':
      return { row: skipped(at, 'overlap'), steps: [] };
    case 'queue_one': {
      const queued = { at, cause: 'rule', state: 'queued', reason: null, taskId: null, jobId: null } as const;
      return { row: queuedAt === null ? queued : skipped(at, 'overlap'), steps: [] };
    }
    case 'cancel_running': {
      const cancel = { kind: 'cancel', lastTaskId, lastJobId } as const;
      // an occurrence that does not run doesn't replace the last one
      return run.row.state === 'ran' ? { row: run.row, steps: [cancel, ...run.steps] } : run;
    }
  }
}
