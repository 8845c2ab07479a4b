import { Problem } from '@taskwire/errors';
import type { Progress as LoopProgress } from '@taskwire/lifecycle';
import type { Tx } from '@taskwire/postgres';
import { horizonMs } from '../../domain/schedules/rule.ts';
import { assigns } from '../../domain/schedules/permission.ts';
import { regenerated, type Schedule } from '../../domain/schedules/schedule.ts';
import { advance, dueAtOf, isPast, planOf, zoneDatabase, type Plan } from './advance.ts';
import { afterRun, countLast, isPausedBy, pausedFor, skipped } from './outcome.ts';
import type { Progress, SchedulePorts, Situation } from './ports.ts';
import { runOccurrence } from './run-occurrence.ts';
import { withSituations } from './situations.ts';
import { storeDecisions, type Decision } from './store-decisions.ts';

/** Schedules per transaction. More would hold their locks, and perhaps the assignment lock, for longer than requests should wait. */
const batch = 100;
/** Occurrences after which a transaction leaves the other schedules to the next one: about half a second of work. */
const mostOccurrences = 1_000;
/** An occurrence whose performer is chosen at random takes as long as this many others, because each choice depends on the last one. */
const perRandomChoice = 20;
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
    // the rule thread evaluates them while the database reads their situations
    const plans = due.map(async (schedule) => await planUnlessTooComplex(ports, schedule, now));
    // the error of a later evaluation is thrown when its turn comes, or never if an earlier one fails
    for (const plan of plans) plan.catch(() => undefined);
    const decisions: Decision[] = [];
    let occurrences = 0;
    for (const [place, { schedule, situation }] of (await withSituations(ports, tx, due)).entries()) {
      const plan = await plans[place];
      const decision =
        plan === undefined ? pausedAsTooComplex(schedule, now) : advance(schedule, { now, plan, situation });
      decisions.push(decision);
      occurrences += decision.rows.length * (choosesAtRandom(schedule) ? perRandomChoice : 1);
      if (occurrences >= mostOccurrences) break;
    }
    await storeDecisions(ports, tx, decisions);
    return decisions.length;
  });
}

function choosesAtRandom({ target }: Schedule): boolean {
  return target.kind === 'task' && target.assign === 'random';
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

function pausedAsTooComplex(schedule: Schedule, now: number): Decision {
  const paused = { pausedAt: now, pauseReason: 'too_complex', dueAt: null } as const;
  return { schedule, rows: [], steps: [], progress: { ...progressOf(schedule), ...paused } };
}

async function runReleased(ports: SchedulePorts): Promise<number> {
  return await ports.tasks.transaction(async (tx) => {
    const released = await ports.schedules.lockReleased(tx, batch);
    await lockAssignmentsIfNeeded(ports, tx, released);
    const now = await ports.clock.now(tx);
    const decisions = (await withSituations(ports, tx, released)).flatMap(({ schedule, situation }) =>
      schedule.queuedAt === null ? [] : [runQueued(schedule, { at: schedule.queuedAt, now, situation })],
    );
    if (decisions.length > 0) await storeDecisions(ports, tx, decisions, ['queued']);
    return released.length;
  });
}

/** Runs a queued occurrence. The schedule may pause itself if the occurrence fails or the last job has died. */
function runQueued(
  schedule: Schedule,
  { at, now, situation }: { at: number; now: number; situation: Situation },
): Decision {
  const counted = countLast(schedule, situation.last);
  const before = { ...progressOf(schedule), ...counted, queuedAt: null };
  if (isPausedBy(schedule, counted)) {
    const progress = schedule.pausedAt === null ? pausedFor(before, now) : before;
    return { schedule, rows: [skipped(at, 'paused')], steps: [], progress };
  }
  const { row, steps } = runOccurrence(schedule, { at, cause: 'rule' }, situation);
  const decided = { schedule, rows: [row], steps };
  if (row.state !== 'ran') {
    const failures = before.failures + (row.state === 'failed' ? 1 : 0);
    return { ...decided, progress: { ...before, failures } };
  }
  const after = { ...before, ...afterRun({ ...schedule, ...counted }, row) };
  return { ...decided, progress: after.awaitsEnd ? { ...after, nextAt: null, dueAt: null } : after };
}

/** Computes the next instants of schedules whose last run had to end first. */
async function planAfterEnd(ports: SchedulePorts): Promise<number> {
  return await ports.tasks.transaction(async (tx) => {
    const ended = await ports.schedules.lockEnded(tx, batch);
    const planned: Decision[] = [];
    for (const schedule of ended) {
      const after = Math.max(schedule.endedAt, schedule.lastAt ?? 0);
      const rule = regenerated({ ...schedule, nextAt: after });
      const [next] = await ports.rules.occurrences(rule, { after, until: after + horizonMs, limit: 1 });
      const progress = { ...progressOf(schedule), ...dueAtOf(schedule, next?.at ?? null), awaitsEnd: false };
      planned.push({ schedule, rows: [], steps: [], progress });
    }
    await ports.schedules.recordOccurrences(tx, planned);
    return ended.length;
  });
}

/** Recomputes the next instants of schedules when this release brings a newer tz database. An instant that has come is decided instead. */
async function recompute(ports: SchedulePorts): Promise<number> {
  return await ports.tasks.transaction(async (tx) => {
    const outdated = await ports.schedules.lockOutdated(tx, zoneDatabase, batch);
    const now = await ports.clock.now(tx);
    const planned: Decision[] = [];
    for (const schedule of outdated.filter((one) => !isPast(one, now))) {
      const after = Math.max(now, schedule.lastAt ?? 0);
      const [next] = await ports.rules.occurrences(regenerated(schedule), {
        after,
        until: after + horizonMs,
        limit: 1,
      });
      const progress = { ...progressOf(schedule), ...dueAtOf(schedule, next?.at ?? null) };
      planned.push({ schedule, rows: [], steps: [], progress });
    }
    await ports.schedules.recordOccurrences(tx, planned);
    return outdated.length;
  });
}

export function progressOf(schedule: Schedule): Progress {
  const { nextAt, dueAt, lastAt, lastTaskId, lastJobId, queuedAt, awaitsEnd, failures, pausedAt, pauseReason } =
    schedule;
  const last = { lastAt, lastTaskId, lastJobId, awaitsEnd };
  return { nextAt, dueAt, ...last, queuedAt, failures, pausedAt, pauseReason, zoneDatabase };
}
