import type { Evidence, RecordedEvent } from '../../evidence.ts';
import type { OccurrenceRow, ScheduleAct, ScheduleRow } from '../../job-evidence.ts';
import { instantsOf } from '../../workload/jobs/rules.ts';
import { broken, type Violation } from '../violation.ts';

/** A schedule computes its first instant just before its row is created. */
const creationMs = 2_000;

type Create = Extract<ScheduleAct, { kind: 'create' }>;

/**
 * Each instant of a rule has one decision, and no other instant has one. Each decision to run made one task, or one job if the schedule has jobs, and no
 * task or job of a schedule exists without one.
 */
export function checkOccurrences(evidence: Evidence): Violation[] {
  const { scheduleActs, world } = evidence;
  const created = scheduleActs.filter((act) => act.kind === 'create');
  const rows = Map.groupBy(world.occurrences, ({ schedule_id }) => schedule_id);
  const byTitle = Map.groupBy(world.schedules, ({ title }) => title);
  return broken('every occurrence is decided once', [
    ...created.map(({ name, outcome }) => {
      const count = byTitle.get(name)?.length ?? 0;
      const isRight = { acknowledged: count === 1, unknown: count <= 1, refused: count === 0 }[outcome];
      return !isRight && `the schedule ${name} was ${outcome}, and exists ${count} times`;
    }),
    ...created.flatMap((act) =>
      (byTitle.get(act.name) ?? []).flatMap((schedule) => [
        ...wrongInstants(act, schedule, rows.get(schedule.id) ?? [], scheduleActs),
        ...wrongRuns(act, rows.get(schedule.id) ?? [], world),
        ...wrongTriggers(schedule, rows.get(schedule.id) ?? [], scheduleActs),
      ]),
    ),
  ]);
}

function wrongInstants(
  { name, startsAt, endsAt, rule = { kind: 'every' } }: Create,
  { id, created_at }: ScheduleRow,
  rows: readonly OccurrenceRow[],
  acts: readonly ScheduleAct[],
): (string | false)[] {
  const created = Date.parse(created_at);
  const instants = instantsOf(rule, Date.parse(startsAt), Date.parse(endsAt));
  const decided = Map.groupBy(
    rows.filter(({ cause }) => cause !== 'trigger'),
    ({ nominal_at }) => Date.parse(nominal_at),
  );
  const isBackfilled = (at: number) =>
    acts.some(
      (act) =>
        act.kind === 'backfill' &&
        act.scheduleId === id &&
        act.outcome !== 'refused' &&
        Date.parse(act.from) <= at &&
        at <= Date.parse(act.to),
    );
  return [
    ...instants.map((at) => {
      const isMissing = at > created + creationMs && !decided.has(at);
      return isMissing && `the occurrence ${timeOf(at)} of ${name} is missing`;
    }),
    ...[...decided].map(([at, copies]) => {
      const text = `the occurrence ${timeOf(at)} of ${name}`;
      if (copies.length > 1) return `${text} is decided ${copies.length} times`;
      if (!instants.includes(at)) return `${text} is no instant of its rule`;
      if (copies[0]?.state === 'failed') return `${text} failed: ${copies[0].reason}`;
      return at < created - creationMs && !isBackfilled(at) && `${text} is earlier than the schedule`;
    }),
  ];
}

function wrongRuns(
  { name, target = 'task' }: Create,
  rows: readonly OccurrenceRow[],
  { tasks, jobs }: Pick<Evidence['world'], 'tasks' | 'jobs'>,
): (string | false)[] {
  const ofTasks = tasks.flatMap(({ id, title }) => (title === name ? [id] : []));
  const ofJobs = jobs.flatMap((job) => (job.name === name ? [job.id] : []));
  const made = new Set(target === 'task' ? ofTasks : ofJobs);
  const ran = rows.flatMap((row) =>
    row.state === 'ran' ? [{ runId: (target === 'task' ? row.task_id : row.job_id) ?? null, at: row.nominal_at }] : [],
  );
  const named = Map.groupBy(ran, ({ runId }) => runId);
  return [
    ...ran.map(
      ({ runId, at }) =>
        !made.has(runId ?? '') && `the occurrence ${at} of ${name} ran as ${target} ${runId}, which does not exist`,
    ),
    ...[...named].map(
      ([runId, all]) => all.length > 1 && `${target} ${runId} of ${name} belongs to ${all.length} occurrences`,
    ),
    ...[...ofTasks, ...ofJobs].map(
      (id) => !named.has(id) && `${id} was made for ${name}, and belongs to no occurrence`,
    ),
  ];
}

function wrongTriggers(
  { id, title }: ScheduleRow,
  rows: readonly OccurrenceRow[],
  acts: readonly ScheduleAct[],
): (string | false)[] {
  const triggers = acts.filter((act) => act.kind === 'trigger').filter((act) => act.scheduleId === id);
  const byRun = new Set(rows.flatMap(({ cause, task_id, job_id }) => (cause === 'trigger' ? [task_id ?? job_id] : [])));
  const count = rows.filter(({ cause }) => cause === 'trigger').length;
  const most = triggers.filter(({ outcome }) => outcome !== 'refused').length;
  return [
    count > most && `${title} was triggered at most ${most} times, and has ${count} such occurrences`,
    ...triggers.map(
      ({ outcome, runId, nominalAt }) =>
        outcome === 'acknowledged' &&
        !byRun.has(runId) &&
        `${title} was triggered at ${nominalAt} (${runId}), which is no occurrence`,
    ),
  ];
}

/** Each occurrence that was skipped published one event. A backfill runs skipped occurrences later. */
export function checkSkips({ world }: Evidence, published: ReadonlyMap<string, RecordedEvent[]>): Violation[] {
  return broken(
    'every change is published once',
    world.schedules.flatMap(({ id, title }) => {
      const events = Map.groupBy(published.get(id) ?? [], ({ instant }) => Date.parse(instant ?? ''));
      const rows = world.occurrences.filter(({ schedule_id }) => schedule_id === id);
      const known = new Set(rows.map(({ nominal_at }) => Date.parse(nominal_at)));
      return [
        ...rows.map(({ nominal_at, state, cause, reason }) => {
          const of = events.get(Date.parse(nominal_at)) ?? [];
          const text = `the occurrence ${nominal_at} of ${title} is ${state} (${cause}, ${reason}), and has ${of.length} events`;
          if (state === 'skipped') return (of.length !== 1 || of[0]?.reason !== reason) && text;
          return of.length > (cause === 'backfill' ? 1 : 0) && text;
        }),
        ...[...events.keys()].map(
          (at) => !known.has(at) && `an event skips the occurrence ${timeOf(at)} of ${title}, which is unknown`,
        ),
      ];
    }),
  );
}

function timeOf(at: number): string {
  return Number.isNaN(at) ? 'without a time' : new Date(at).toISOString();
}
