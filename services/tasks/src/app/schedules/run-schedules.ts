import { Problem } from '@taskwire/errors';
import type { Progress as LoopProgress } from '@taskwire/lifecycle';
import type { Tx } from '@taskwire/postgres';
import { horizonMs } from '../../domain/schedules/rule.ts';
import { assigns } from '../../domain/schedules/permission.ts';
import { regenerated, type OccurrenceRow, type Schedule } from '../../domain/schedules/schedule.ts';
import {
  advance,
  afterRun,
  countLast,
  dueAtOf,
  isPausedBy,
  pausedFor,
  planOf,
  zoneDatabase,
  type Plan,
} from './advance.ts';
import type { Progress, SchedulePorts } from './ports.ts';
import { runOccurrence } from './run-occurrence.ts';

/** Schedules per transaction. More would hold their locks, and perhaps the assignment lock, for longer than requests should wait. */
const batch = 50;
/** Transactions at a time for due schedules: this process prepares one while the database stores the other. */
const atOnce = 2;

/**
 * One round: decides the due occurrences of up to `batch` schedules, and runs queued occurrences whose predecessor has ended. Everything that belongs
 * to an occurrence commits together, so a killed process leaves no half-done occurrence. Several processes may run rounds at the same time.
 */
export async function runSchedules(ports: SchedulePorts): Promise<{ progress: LoopProgress; dueInMs: number | null }> {
  const { dueInMs, released, ended, outdated } = await ports.schedules.readWork(zoneDatabase);
  let found = 0;
  if (dueInMs !== null && dueInMs <= 0) found += await runAllDue(ports);
  if (released) found += await runReleased(ports);
  if (ended) found += await planAfterEnd(ports);
  if (outdated) found += await recompute(ports);
  // if nothing was found, another process has locked the pending schedules
  return { progress: found > 0 ? 'more' : 'idle', dueInMs };
}

/** The functions of a round return the number of schedules that they found unlocked. */
async function runAllDue(ports: SchedulePorts): Promise<number> {
  // a round ends when both transactions have ended, even if one fails
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, async () => await runDue(ports)));
  return ended.reduce((sum, one) => {
    if (one.status === 'rejected') throw one.reason;
    return sum + one.value;
  }, 0);
}

async function runDue(ports: SchedulePorts): Promise<number> {
  try {
    return await advanceDue(ports, batch);
  } catch (error) {
    if (error instanceof Problem && error.code === 'unavailable') throw error;
  }
  // one failing schedule must not block the others: run the first one alone, and postpone it if it fails
  try {
    return await advanceDue(ports, 1);
  } catch (error) {
    if (error instanceof Problem && error.code === 'unavailable') throw error;
    await ports.schedules.postponeFirst();
    throw error;
  }
}

async function advanceDue(ports: SchedulePorts, limit: number): Promise<number> {
  return await ports.tasks.transaction(async (tx) => {
    const due = await ports.schedules.lockDue(tx, limit);
    await lockAssignmentsIfNeeded(ports, tx, due);
    await ports.schedules.lockLastJobs(tx, due);
    const now = await ports.clock.now(tx);
    // the rule thread evaluates the next schedules while the database stores the occurrences of this one
    const plans = due.map(async (schedule) => await planUnlessTooComplex(ports, schedule, now));
    // the error of a later one is thrown when its turn comes, or not at all if an earlier one fails
    for (const plan of plans) plan.catch(() => undefined);
    for (const [place, schedule] of due.entries()) {
      const plan = await plans[place];
      if (plan !== undefined) await advance(ports, tx, schedule, { now, plan });
      else await ports.schedules.recordOccurrences(tx, schedule, [], { ...progressOf(schedule), ...tooComplexAt(now) });
    }
    return due.length;
  });
}

/** The assignment lock comes before the locks of jobs and tasks, which a schedule may cancel. */
async function lockAssignmentsIfNeeded({ tasks }: SchedulePorts, tx: Tx, due: readonly Schedule[]): Promise<void> {
  if (due.some(({ target }) => assigns(target))) await tasks.lockAssignments(tx);
}

/** The plan of a schedule, or `undefined` for a rule that takes too long to evaluate. */
async function planUnlessTooComplex(ports: SchedulePorts, schedule: Schedule, now: number): Promise<Plan | undefined> {
  try {
    return await planOf(ports, schedule, now);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'schedule_too_complex') throw error;
    return undefined;
  }
}

function tooComplexAt(now: number): Pick<Progress, 'pausedAt' | 'pauseReason' | 'dueAt'> {
  return { pausedAt: now, pauseReason: 'too_complex', dueAt: null };
}

async function runReleased(ports: SchedulePorts): Promise<number> {
  return await ports.tasks.transaction(async (tx) => {
    const released = await ports.schedules.lockReleased(tx, batch);
    await lockAssignmentsIfNeeded(ports, tx, released);
    const now = await ports.clock.now(tx);
    for (const schedule of released) {
      const at = schedule.queuedAt;
      if (at === null) continue;
      const { row, progress } = await runQueued(ports, tx, schedule, { at, now });
      await ports.schedules.recordOccurrences(tx, schedule, [row], progress, ['queued']);
      tx.afterCommit(() => ports.counted([row]));
    }
    return released.length;
  });
}

/** Runs a queued occurrence. One that fails, or whose last job has died, may pause the schedule. */
async function runQueued(
  ports: SchedulePorts,
  tx: Tx,
  schedule: Schedule,
  { at, now }: { at: number; now: number },
): Promise<{ row: OccurrenceRow; progress: Progress }> {
  const counted = countLast(schedule, await ports.schedules.lastRun(tx, schedule));
  const before = { ...progressOf(schedule), ...counted, queuedAt: null };
  if (isPausedBy(schedule, counted)) {
    const row = { at, cause: 'rule', state: 'skipped', reason: 'paused', taskId: null, jobId: null } as const;
    return { row, progress: schedule.pausedAt === null ? pausedFor(before, now) : before };
  }
  const row = await runOccurrence(ports, tx, schedule, { at, cause: 'rule' });
  if (row.state !== 'ran') return { row, progress: { ...before, failures: before.failures + 1 } };
  const after = { ...before, ...afterRun({ ...schedule, ...counted }, row) };
  return { row, progress: after.awaitsEnd ? { ...after, nextAt: null, dueAt: null } : after };
}

/** Computes the next instants of schedules whose last run had to end first. */
async function planAfterEnd(ports: SchedulePorts): Promise<number> {
  return await ports.tasks.transaction(async (tx) => {
    const ended = await ports.schedules.lockEnded(tx, batch);
    for (const schedule of ended) {
      const after = Math.max(schedule.endedAt, schedule.lastAt ?? 0);
      const rule = regenerated({ ...schedule, nextAt: after });
      const [next] = await ports.rules.occurrences(rule, { after, until: after + horizonMs, limit: 1 });
      const progress = { ...progressOf(schedule), ...dueAtOf(schedule, next?.at ?? null), awaitsEnd: false };
      await ports.schedules.recordOccurrences(tx, schedule, [], progress);
    }
    return ended.length;
  });
}

/** Recomputes the next instants of schedules when this release brings a newer tz database. */
async function recompute(ports: SchedulePorts): Promise<number> {
  return await ports.tasks.transaction(async (tx) => {
    const outdated = await ports.schedules.lockOutdated(tx, zoneDatabase, batch);
    const now = await ports.clock.now(tx);
    for (const schedule of outdated) {
      const after = Math.max(now, schedule.lastAt ?? 0);
      const [next] = await ports.rules.occurrences(regenerated(schedule), {
        after,
        until: after + horizonMs,
        limit: 1,
      });
      const progress = { ...progressOf(schedule), ...dueAtOf(schedule, next?.at ?? null) };
      await ports.schedules.recordOccurrences(tx, schedule, [], progress);
    }
    return outdated.length;
  });
}

export function progressOf(schedule: Schedule): Progress {
  const { nextAt, dueAt, lastAt, lastTaskId, lastJobId, queuedAt, awaitsEnd, failures, pausedAt, pauseReason } =
    schedule;
  const last = { lastAt, lastTaskId, lastJobId, awaitsEnd };
  return { nextAt, dueAt, ...last, queuedAt, failures, pausedAt, pauseReason, zoneDatabase };
}
