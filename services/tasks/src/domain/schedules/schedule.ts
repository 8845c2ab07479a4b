import type { Priority } from '../task.ts';
import type { Rule } from './rule.ts';

/** The job that an occurrence enqueues. */
export type JobTarget = {
  kind: 'job';
  job: {
    queue: string;
    kind: string;
    payload: unknown;
    priority: number;
    max_attempts: number;
    concurrency_key: string | null;
    /** When the job must have started, counted from the nominal instant, as an ISO 8601 duration. */
    deadline_in: string | null;
  };
};

/** The task or job that an occurrence creates. */
export type Target = TaskTarget | JobTarget;

/** The task that an occurrence creates. */
export type TaskTarget = {
  kind: 'task';
  title: string;
  description: string;
  priority: Priority;
  labels: readonly string[];
  assignee_id: string | null;
  /** Whether a performer is chosen at random for each occurrence. */
  assign: 'random' | null;
  /** When the task is due, counted from the nominal instant, as an ISO 8601 duration. */
  due_in: string | null;
};

/** Occurrences that were due while nothing ran: none, the latest or all of them run late. */
export type CatchUp = 'skip' | 'latest' | 'all';

/** What happens to an occurrence while the last task of its schedule is not completed, cancelled or deleted, or its last job has not ended. */
export type Overlap = 'skip' | 'queue_one' | 'allow' | 'cancel_running';

/** `on_completion`: after a run there is no next instant until the task or job has ended. */
export type Regenerate = 'on_schedule' | 'on_completion';

export type PauseReason = 'requested' | 'failures' | 'too_complex';

/** What a user may set of a schedule, beside its rule. */
export type ScheduleSettings = {
  target: Target;
  catchUp: CatchUp;
  overlap: Overlap;
  regenerate: Regenerate;
  /** Spreads the runs over this many seconds after their nominal instants. */
  jitterSeconds: number;
  pauseAfterFailures: number;
};

/** A schedule as stored. Instants are milliseconds since 1970. */
export type Schedule = Rule &
  ScheduleSettings & {
    id: string;
    creatorId: string;
    actsFor: string;
    failures: number;
    pausedAt: number | null;
    pauseReason: PauseReason | null;
    revision: number;
    nextAt: number | null;
    dueAt: number | null;
    lastAt: number | null;
    lastTaskId: string | null;
    lastJobId: string | null;
    /** Whether the next instant is computed when the last task or job has ended. */
    awaitsEnd: boolean;
    queuedAt: number | null;
    version: number;
  };

/** Why an occurrence did not run. */
export type SkipReason = 'overlap' | 'missed' | 'paused' | 'dst_gap' | 'capped';
type FailureReason = 'not_permitted';

/** One row of an occurrence. */
export type OccurrenceRow = { at: number; cause: 'rule' | 'trigger' | 'backfill' } & (
  | ({ state: 'ran'; reason: null } & ({ taskId: string; jobId: null } | { taskId: null; jobId: string }))
  | { state: 'skipped'; reason: SkipReason; taskId: null; jobId: null }
  | { state: 'queued'; reason: null; taskId: null; jobId: null }
  | { state: 'failed'; reason: FailureReason; taskId: null; jobId: null }
);

/** The end of the last task or job of a schedule, if it has ended. A dead job has failed. */
export type LastRun = 'none' | 'unfinished' | 'succeeded' | 'cancelled' | 'failed';

/**
 * The rule for the instants from the next one on. With `on_completion`, `every` counts from the instant that follows the end of the last run.
 */
export function regenerated<S extends Schedule>(schedule: S): S {
  const { regenerate, kind, nextAt } = schedule;
  return regenerate === 'on_completion' && kind === 'every' && nextAt !== null
    ? { ...schedule, startsAt: nextAt }
    : schedule;
}

/** Whether a rule has changed so that its next instant must be computed again. The policy for gaps applies to the instants that it has. */
export function isSameRule(a: Rule, b: Rule): boolean {
  return (
    a.kind === b.kind &&
    a.expression === b.expression &&
    a.timeZone === b.timeZone &&
    a.startsAt === b.startsAt &&
    a.endsAt === b.endsAt
  );
}
