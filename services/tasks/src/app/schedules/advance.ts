import type { Tx } from '@taskwire/postgres';
import { decide, type Verdict } from '../../domain/schedules/decide.ts';
import { assigns } from '../../domain/schedules/permission.ts';
import { horizonMs, type Occurrence } from '../../domain/schedules/rule.ts';
import { regenerated, type Schedule } from '../../domain/schedules/schedule.ts';
import { jitterOf } from './occurrence-id.ts';
import { outcomeOf } from './outcome.ts';
import type { SchedulePorts, Situation } from './ports.ts';
import type { RuleEvaluator } from './rule-evaluator.ts';
import { situationOf } from './situations.ts';
import { storeDecisions, type Decision } from './store-decisions.ts';

/** Occurrences per decision. With one a minute, this covers more than the day that `all` looks back. */
const chunk = 1_500;
/** Runs per transaction and schedule: each takes about 0.5 ms, during which the schedule is locked. */
const mostRuns = 100;

/** The tz database version of this process. Versions sort as text. */
export const zoneDatabase = process.versions.tz ?? '';

type Ports = Pick<SchedulePorts, 'schedules' | 'tasks' | 'jobs' | 'rules' | 'counted'>;

/** The due occurrences of a schedule, and the instant that follows them. */
export type Plan = Pick<Due, 'due' | 'complete'> & { following: number | null };

/**
 * Evaluates the rule of a schedule. Every evaluation that may fail happens here, before the first write.
 * @throws Problem `schedule_too_complex`.
 */
export async function planOf({ rules }: Pick<Ports, 'rules'>, schedule: Schedule, now: number): Promise<Plan> {
  const { due, next, complete } = await dueOf(rules, schedule, now);
  return { due, complete, following: next === undefined ? await nextOf(rules, schedule, due) : next };
}

/** Decides the due occurrences of a locked schedule. Stores nothing. */
export function advance(
  schedule: Schedule,
  { now, plan: { due, complete, following }, situation }: { now: number; plan: Plan; situation: Situation },
): Decision {
  const jitterMs = schedule.jitterSeconds * 1_000;
  const timing = { catchUp: schedule.catchUp, paused: schedule.pausedAt !== null, now, complete, jitterMs };
  const verdicts = withMostRuns(decide(due, timing));
  const { rows, steps, progress } = outcomeOf(schedule, verdicts, { now, situation });
  const undecided = due[rows.length]?.at;
  const recorded = {
    ...progress,
    ...dueAtOf(schedule, progress.awaitsEnd ? null : (undecided ?? following)),
    lastAt: rows.at(-1)?.at ?? schedule.lastAt,
    zoneDatabase,
  };
  return { schedule, rows, steps, progress: recorded };
}

/**
 * Advances until no instant is in the past, for a change that later occurrences must see. This includes an instant whose jitter has not passed or
 * that was postponed: a change could lose it.
 */
export async function advanceToNow<S extends Schedule>(ports: Ports, tx: Tx, schedule: S, now: number): Promise<S> {
  let current = schedule;
  // lock order: the assignment lock comes before the jobs and tasks that the schedule may cancel
  if (isPast(schedule, now) && assigns(schedule.target)) await ports.tasks.lockAssignments(tx);
  if (isPast(schedule, now)) await ports.schedules.lockLastJobs(tx, [schedule]);
  while (isPast(current, now)) {
    const plan = await planOf(ports, { ...current, jitterSeconds: 0 }, now);
    const decision = advance(current, { now, plan, situation: await situationOf(ports, tx, current) });
    await storeDecisions(ports, tx, [decision]);
    current = { ...current, ...decision.progress };
  }
  return current;
}

/** Whether the next instant has come, due or not. False for a schedule without a `dueAt`, which the scheduler leaves alone. */
export function isPast({ nextAt, dueAt }: Pick<Schedule, 'nextAt' | 'dueAt'>, now: number): boolean {
  return dueAt !== null && nextAt !== null && nextAt <= now;
}

/** The time at which an instant is due, with its jitter. */
export function dueAtOf(
  schedule: Pick<Schedule, 'id' | 'jitterSeconds'>,
  nextAt: number | null,
): Pick<Schedule, 'nextAt' | 'dueAt'> {
  return { nextAt, dueAt: nextAt === null ? null : nextAt + jitterOf(schedule.id, nextAt, schedule.jitterSeconds) };
}

type Due = {
  due: Occurrence[];
  /** The first instant that is not due yet, null if there is none, and `undefined` if the evaluation ended before it. */
  next: number | null | undefined;
  /** Whether `due` contains every due occurrence. */
  complete: boolean;
};

async function dueOf(rules: RuleEvaluator, schedule: Schedule, now: number): Promise<Due> {
  if (schedule.nextAt === null) return { due: [], next: null, complete: true };
  const after = schedule.nextAt - 1;
  const rule = regenerated(schedule);
  // two suffice, unless occurrences were missed
  const two = await rules.occurrences(rule, { after, until: schedule.nextAt + horizonMs, limit: 2 });
  const isMissed = two.length === 2 && two.every((one) => isDue(schedule, one, now));
  const found = isMissed ? await rules.occurrences(rule, { after, until: now, limit: chunk }) : two;
  const firstLater = found.findIndex((one) => !isDue(schedule, one, now));
  if (firstLater !== -1) return { due: found.slice(0, firstLater), next: found[firstLater]?.at, complete: true };
  return isMissed
    ? { due: [...found], next: undefined, complete: found.length < chunk }
    : { due: [...found], next: null, complete: true };
}

function isDue({ id, jitterSeconds }: Schedule, { at }: Occurrence, now: number): boolean {
  return at + jitterOf(id, at, jitterSeconds) <= now;
}

/** The instant after the last due occurrence. */
async function nextOf(rules: RuleEvaluator, schedule: Schedule, due: readonly Occurrence[]): Promise<number | null> {
  const last = due.at(-1)?.at ?? schedule.nextAt;
  if (last === null) return null;
  const [found] = await rules.occurrences(regenerated(schedule), { after: last, until: last + horizonMs, limit: 1 });
  return found?.at ?? null;
}

/** The first verdicts, up to `mostRuns` runs. */
function withMostRuns(verdicts: readonly Verdict[]): Verdict[] {
  let runs = 0;
  const end = verdicts.findIndex(({ verdict }) => verdict === 'run' && ++runs > mostRuns);
  return end === -1 ? [...verdicts] : verdicts.slice(0, end);
}
