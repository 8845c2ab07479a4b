/**
 * The records of jobs and schedules. The times `sentAt` and `at` are from the machine's clock, which PostgreSQL also uses, in ISO 8601. No fault changes that
 * clock.
 */

/** A job as requested by the workload. The payload contains the name, which is unique. */
export type JobOrder = {
  name: string;
  priority: number;
  maxAttempts: number;
  runAt: string | null;
  uniqueKey: string | null;
  concurrencyKey: string | null;
  /** The ids of the predecessors. */
  after: string[];
};

type Outcome = 'acknowledged' | 'refused' | 'unknown';

/** How a worker ends a lease; the same words as in `job_attempts`. */
export type LeaseEnding = 'completed' | 'failed' | 'released';

/** A step of the workload on jobs, with its outcome. */
export type JobAct =
  /** `receipts` are those of the first response, and `repeated` the ids of later responses under the same key. */
  | {
      kind: 'enqueue';
      at: string;
      outcome: Outcome;
      jobs: JobOrder[];
      receipts: { id: string; isExisting: boolean }[];
      repeated: string[][];
    }
  /** A lease that a response gave to a worker. */
  | {
      kind: 'lease';
      at: string;
      worker: string;
      jobId: string;
      fence: number;
      name: string;
      expiresAt: string;
    }
  /** A heartbeat that extended the lease until `expiresAt`, or reported that it is lost (null). */
  | { kind: 'heartbeat'; at: string; fence: number; expiresAt: string | null }
  /**
   * A worker's write to a store that compares fences. `wasPaused`: whether its process was paused in the last lease period; absent for the workers that also
   * simulate ones that return late.
   */
  | { kind: 'write'; at: string; jobId: string; fence: number; accepted: boolean; wasPaused?: boolean }
  | {
      kind: 'settle';
      sentAt: string;
      jobId: string;
      fence: number;
      ending: LeaseEnding;
      outcome: 'settled' | 'lease_lost' | 'unknown';
      state: string | null;
    }
  | { kind: 'cancel'; at: string; jobId: string; outcome: Outcome; state: string | null }
  | { kind: 'replay'; at: string; jobId: string; outcome: Outcome };

/**
 * The rule of a schedule, with which the checker computes its instants without the product's code: a minute apart from its start on; or those with one of
 * these hours (any if null) and minutes and this second as their wall time in a zone.
 */
export type ScheduleRule =
  | { kind: 'every' }
  | { kind: 'cron' | 'rrule'; zone: string; hours: number[] | null; minutes: number[]; second: number };

/** A step of the workload on schedules. */
export type ScheduleAct =
  | {
      kind: 'create';
      name: string;
      outcome: Outcome;
      id: string | null;
      startsAt: string;
      endsAt: string;
      /** Absent in histories of earlier versions, in which every schedule created tasks, each minute. */
      target?: 'task' | 'job';
      rule?: ScheduleRule;
    }
  /** `runId` is the id of its task or job. */
  | { kind: 'trigger'; scheduleId: string; outcome: Outcome; nominalAt: string | null; runId: string | null }
  | { kind: 'backfill'; scheduleId: string; outcome: Outcome; from: string; to: string };

export type JobRow = {
  id: string;
  state: string;
  name: string | null;
  priority: number;
  unique_key: string | null;
  concurrency_key: string | null;
  cancel_requested: boolean;
  reason: string | null;
  /** The fence that the worker wrote into the result. */
  result_fence: number | null;
  settled_at: string | null;
};

/** An ended lease. */
export type AttemptRow = {
  fence: number;
  job_id: string;
  outcome: string;
  leased_at: string;
  ended_at: string;
};

/** A step of an operator or sender that is recorded in the audit. */
export type JobAuditRow = { job_id: string; action: string };

/** `title` is that of its tasks, or the name of its jobs. */
export type ScheduleRow = { id: string; title: string; created_at: string; is_deleted: boolean };

export type OccurrenceRow = {
  schedule_id: string;
  nominal_at: string;
  cause: string;
  state: string;
  reason: string | null;
  task_id: string | null;
  /** Absent in histories of earlier versions. */
  job_id?: string | null;
};

export type ReminderRow = { task_id: string; kind: string; due_at: string; state: string };
