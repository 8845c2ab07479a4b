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
    /** The time by which the job must have started, as an ISO 8601 duration from the nominal instant. */
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
  /** The project in which the task is created; null for a task outside of projects. */
  project_id: string | null;
  assignee_id: string | null;
  /** Whether a performer is chosen at random for each occurrence. */
  assign: 'random' | null;
  /** The due date of the task, as an ISO 8601 duration from the nominal instant. */
  due_in: string | null;
};

/** How many of the occurrences that were missed during an outage run late: none, only the latest, or all. */
export type CatchUp = 'skip' | 'latest' | 'all';

/** The policy for an occurrence that is due while the schedule's last task or job has not ended. A deleted task counts as ended. */
export type Overlap = 'skip' | 'queue_one' | 'allow' | 'cancel_running';

/** `on_completion`: after a run there is no next instant until the task or job has ended. */
export type Regenerate = 'on_schedule' | 'on_completion';

export type PauseReason = 'requested' | 'failures' | 'too_complex';

/** The settings of a schedule that a user chooses, besides its rule. */
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
    /** Whether the next instant will be computed only when the last task or job has ended. */
    awaitsEnd: boolean;
    queuedAt: number | null;
    version: number;
  };

/** Why an occurrence did not run. */
export type SkipReason = 'overlap' | 'missed' | 'paused' | 'dst_gap' | 'capped' | 'project_archived';
type FailureReason = 'not_permitted';

/** The stored row of an occurrence. */
export type OccurrenceRow = { at: number; cause: 'rule' | 'trigger' | 'backfill' } & (
  | ({ state: 'ran'; reason: null } & ({ taskId: string; jobId: null } | { taskId: null; jobId: string }))
  | { state: 'skipped'; reason: SkipReason; taskId: null; jobId: null }
  | { state: 'queued'; reason: null; taskId: null; jobId: null }
  | { state: 'failed'; reason: FailureReason; taskId: null; jobId: null }
);

/** How the last task or job of a schedule ended, if it has ended. A dead job has `failed`. */
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

/** Whether two rules have the same instants, so that the next instant need not be recomputed. The policy for gaps changes no instant. */
export function isSameRule(a: Rule, b: Rule): boolean {
  return (
    a.kind === b.kind &&
    a.expression === b.expression &&
    a.timeZone === b.timeZone &&
    a.startsAt === b.startsAt &&
    a.endsAt === b.endsAt
  );
}
