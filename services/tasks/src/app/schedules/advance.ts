import type { Tx } from '@taskwire/postgres';
import { decide, type Verdict } from '../../domain/schedules/decide.ts';
import { assigns } from '../../domain/schedules/permission.ts';
import { horizonMs, type Occurrence } from '../../domain/schedules/rule.ts';
import { regenerated, type LastRun, type OccurrenceRow, type Schedule } from '../../domain/schedules/schedule.ts';
import { jitterOf } from './occurrence-id.ts';
import type { RuleEvaluator } from './rule-evaluator.ts';
import type { Progress, SchedulePorts } from './ports.ts';
import { cancelLast, runOccurrence } from './run-occurrence.ts';

/** Occurrences per decision. With one a minute, this covers more than the day that `all` looks back. */
const chunk = 1_500;
/** Runs per transaction and schedule: each takes about 2 ms, during which the schedule is locked. */
const mostRuns = 100;

/** The tz database version of this process. Versions sort as text. */
export const zoneDatabase = process.versions.tz ?? '';

type Ports = Pick<SchedulePorts, 'schedules' | 'tasks' | 'jobs' | 'rules' | 'counted'>;

/** The due occurrences of a schedule, and the instant after them. */
export type Plan = Pick<Due, 'due' | 'complete'> & { following: number | null };

/**
 * Evaluates the rule of a schedule. Everything that may be refused is evaluated here, before the first write.
 * @throws Problem `schedule_too_complex`.
 */
export async function planOf({ rules }: Pick<Ports, 'rules'>, schedule: Schedule, now: number): Promise<Plan> {
  const { due, next, complete } = await dueOf(rules, schedule, now);
  return { due, complete, following: await nextOf(rules, schedule, due, next) };
}

/** Decides the due occurrences of a locked schedule, and stores them with their tasks and the next instant. */
export async function advance(
  ports: Ports,
  tx: Tx,
  schedule: Schedule,
  { now, plan: { due, complete, following } }: { now: number; plan: Plan },
): Promise<Progress> {
  const jitterMs = schedule.jitterSeconds * 1_000;
  const situation = { catchUp: schedule.catchUp, paused: schedule.pausedAt !== null, now, complete, jitterMs };
  const verdicts = withMostRuns(decide(due, situation));
  const { rows, progress } = await settle(ports, tx, schedule, verdicts, now);
  const undecided = due[rows.length]?.at;
  const recorded = {
    ...progress,
    ...dueAtOf(schedule, progress.awaitsEnd ? null : (undecided ?? following)),
    lastAt: rows.at(-1)?.at ?? schedule.lastAt,
    zoneDatabase,
  };
  await ports.schedules.recordOccurrences(tx, schedule, rows, recorded);
  tx.afterCommit(() => ports.counted(rows));
  return recorded;
}

/** Advances until no occurrence is due, for a change that later occurrences must see. */
export async function advanceToNow<S extends Schedule>(ports: Ports, tx: Tx, schedule: S, now: number): Promise<S> {
  let current = schedule;
  const isDue = schedule.dueAt !== null && schedule.dueAt <= now;
  // lock order: before the jobs and tasks that the schedule may cancel
  if (isDue && assigns(schedule.target)) await ports.tasks.lockAssignments(tx);
  if (isDue) await ports.schedules.lockLastJobs(tx, [schedule]);
  while (current.dueAt !== null && current.dueAt <= now) {
    const plan = await planOf(ports, current, now);
    current = { ...current, ...(await advance(ports, tx, current, { now, plan })) };
  }
  return current;
}

/** When an instant is due, with its jitter. */
export function dueAtOf(
  schedule: Pick<Schedule, 'id' | 'jitterSeconds'>,
  nextAt: number | null,
): Pick<Schedule, 'nextAt' | 'dueAt'> {
  return { nextAt, dueAt: nextAt === null ? null : nextAt + jitterOf(schedule.id, nextAt, schedule.jitterSeconds) };
}

type Due = {
  due: Occurrence[];
  /** The first occurrence that is not due yet, if the evaluation reached it. */
  next: Occurrence | undefined;
  /** Whether `due` contains every due occurrence. */
  complete: boolean;
};

async function dueOf(rules: RuleEvaluator, schedule: Schedule, now: number): Promise<Due> {
  if (schedule.nextAt === null) return { due: [], next: undefined, complete: true };
  const after = schedule.nextAt - 1;
  const rule = regenerated(schedule);
  // two suffice, unless occurrences were missed
  let found = await rules.occurrences(rule, { after, until: schedule.nextAt + horizonMs, limit: 2 });
  const limit = found.length === 2 && found.every((one) => isDue(schedule, one, now)) ? chunk : 2;
  if (limit > 2) found = await rules.occurrences(rule, { after, until: now, limit });
  const firstLater = found.findIndex((one) => !isDue(schedule, one, now));
  if (firstLater === -1) return { due: [...found], next: undefined, complete: found.length < limit };
  return { due: found.slice(0, firstLater), next: found[firstLater], complete: true };
}

function isDue({ id, jitterSeconds }: Schedule, { at }: Occurrence, now: number): boolean {
  return at + jitterOf(id, at, jitterSeconds) <= now;
}

async function nextOf(
  rules: RuleEvaluator,
  schedule: Schedule,
  due: readonly Occurrence[],
  next: Occurrence | undefined,
): Promise<number | null> {
  const last = due.at(-1)?.at ?? schedule.nextAt;
  if (next !== undefined || last === null) return next?.at ?? null;
  const [found] = await rules.occurrences(regenerated(schedule), { after: last, until: last + horizonMs, limit: 1 });
  return found?.at ?? null;
}

/** The first verdicts, up to `mostRuns` runs. */
function withMostRuns(verdicts: readonly Verdict[]): Verdict[] {
  let runs = 0;
  const end = verdicts.findIndex(({ verdict }) => verdict === 'run' && ++runs > mostRuns);
  return end === -1 ? [...verdicts] : verdicts.slice(0, end);
}

type Settled = { rows: OccurrenceRow[]; progress: Omit<Progress, 'nextAt' | 'dueAt' | 'lastAt' | 'zoneDatabase'> };

/**
 * Carries out verdicts in order. Stops when the schedule pauses itself, or awaits the end of a run. A dead job counts as a failure once, when the
 * next occurrence would run; a job that has succeeded resets the count of failures.
 */
async function settle(
  ports: Ports,
  tx: Tx,
  schedule: Schedule,
  verdicts: readonly Verdict[],
  now: number,
): Promise<Settled> {
  const { lastTaskId, lastJobId, queuedAt, awaitsEnd, failures, pausedAt, pauseReason } = schedule;
  const state = { lastTaskId, lastJobId, queuedAt, awaitsEnd, failures, pausedAt, pauseReason };
  const rows: OccurrenceRow[] = [];
  for (const { at, verdict } of verdicts) {
    if (verdict === 'run') {
      const last = await ports.schedules.lastRun(tx, state);
      Object.assign(state, countLast(state, last));
      if (isPausedBy(schedule, state)) return { rows, progress: pausedFor(state, now) };
      rows.push(await runUnlessOverlapping(ports, tx, { ...schedule, ...state }, { at, last }));
    } else rows.push(skipped(at, verdict));
    const row = rows.at(-1);
    if (row?.state === 'queued') state.queuedAt = at;
    if (row?.state === 'ran') Object.assign(state, afterRun({ ...schedule, ...state }, row));
    if (state.awaitsEnd) break;
    if (row?.state !== 'failed') continue;
    state.failures += 1;
    if (isPausedBy(schedule, state)) return { rows, progress: pausedFor(state, now) };
  }
  return { rows, progress: state };
}

/** Adds the last run to the schedule's failures. A dead job is then forgotten, so that it counts only once. */
export function countLast(
  { failures, lastJobId }: Pick<Schedule, 'failures' | 'lastJobId'>,
  last: LastRun,
): Pick<Schedule, 'failures' | 'lastJobId'> {
  if (lastJobId !== null && last === 'failed') return { failures: failures + 1, lastJobId: null };
  return { failures: lastJobId !== null && last === 'succeeded' ? 0 : failures, lastJobId };
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

async function runUnlessOverlapping(
  ports: Ports,
  tx: Tx,
  schedule: Schedule,
  { at, last }: { at: number; last: LastRun },
): Promise<OccurrenceRow> {
  const { overlap, queuedAt } = schedule;
  const run = async () => await runOccurrence(ports, tx, schedule, { at, cause: 'rule' });
  if (overlap === 'allow' || last !== 'unfinished') return await run();
  switch (overlap) {
    case 'skip':
      return skipped(at, 'overlap');
    case 'queue_one':
      return queuedAt === null
        ? { at, cause: 'rule', state: 'queued', reason: null, taskId: null, jobId: null }
        : skipped(at, 'overlap');
    case 'cancel_running':
      await cancelLast(ports, tx, schedule);
      return await run();
  }
}
