import type { Page, Place, Tx } from '@taskwire/postgres';
import type { Grounds } from '../../domain/change.ts';
import type { Hindrance, Standing } from '../../domain/schedules/permission.ts';
import type { LastRun, OccurrenceRow, PauseReason, Schedule } from '../../domain/schedules/schedule.ts';
import type { JobEnqueuing } from '../jobs/ports.ts';
import type { NewTask, TaskStore } from '../ports.ts';
import type { ProjectStore } from '../projects/ports.ts';
import type { RuleEvaluator } from './rule-evaluator.ts';

/** A schedule with the times that only the API shows, formatted by the database. */
export type StoredSchedule = Schedule & { createdAt: string; updatedAt: string };

/** The columns of a new schedule. */
export type NewSchedule = Omit<
  Schedule,
  'id' | 'version' | 'revision' | 'failures' | 'lastAt' | 'lastTaskId' | 'lastJobId' | 'queuedAt' | 'awaitsEnd'
> & {
  zoneDatabase: string;
};

/** The progress of a schedule after occurrences were decided. */
export type Progress = Pick<
  Schedule,
  'nextAt' | 'dueAt' | 'lastAt' | 'lastTaskId' | 'lastJobId' | 'queuedAt' | 'awaitsEnd' | 'failures' | 'pausedAt'
> & {
  pauseReason: PauseReason | null;
  /** The version of the tz database that `nextAt` was computed with. */
  zoneDatabase: string;
};

/** The scheduler's pending work. */
export type Work = {
  /** Milliseconds until the next schedule is due, negative if one already is; null if none ever will be. */
  dueInMs: number | null;
  /** Whether any queued occurrence can run. */
  released: boolean;
  /** Whether any schedule awaits the end of a run that has ended. */
  ended: boolean;
  /** Whether any next instant was computed with an older tz database. */
  outdated: boolean;
};

/** The facts that decide, besides the rule, whether the next occurrence of a schedule runs. */
export type Situation = {
  /** How the last task or job ended, if it has ended. */
  last: LastRun;
  /** The reason why it cannot create its task or job; null if it can. */
  hindrance: Hindrance | null;
};

/** A new task with the id that its occurrence determines. */
export type ScheduledTask = {
  id: string;
  task: NewTask;
  grounds: Grounds;
  /** True for a draft that the reassigner assigns when there is a performer. */
  awaitsPerformer: boolean;
};

/** An occurrence as stored. */
export type StoredOccurrence = OccurrenceRow & { revision: number; decidedAt: string };

/** Times by the database's clock, which all processes share. */
export type DatabaseClock = {
  /** The time in milliseconds since 1970. */
  now(tx?: Tx): Promise<number>;
};

export type ScheduleReads = {
  readSchedule(id: string): Promise<StoredSchedule | undefined>;
  /** Newest first; all schedules, or those of one creator. */
  listSchedules(creatorId: string | undefined, place: Place): Promise<Page<StoredSchedule>>;
  countSchedules(creatorId: string): Promise<number>;
  /** Decided occurrences from `from` to `until`, in the order of their nominal instants. */
  listOccurrences(
    scheduleId: string,
    range: { from: number; until: number },
    place: Place,
    tx?: Tx,
  ): Promise<StoredOccurrence[]>;
};

/** Functions that lock schedules do so before any other row, and before the assignment lock. */
export type ScheduleWrites = {
  insertSchedule(tx: Tx, schedule: NewSchedule): Promise<StoredSchedule>;
  lockSchedule(tx: Tx, id: string): Promise<StoredSchedule | undefined>;
  /** Stores a user's changes as a new version. */
  updateSchedule(tx: Tx, schedule: Schedule, zoneDatabase: string): Promise<StoredSchedule>;
  deleteSchedule(tx: Tx, id: string): Promise<void>;
  /** Locks schedules that are due, the longest due first. Skips those that another transaction has locked. */
  lockDue(tx: Tx, limit: number): Promise<StoredSchedule[]>;
  /** Locks schedules with a queued occurrence whose last task has ended. Skips locked schedules. */
  lockReleased(tx: Tx, limit: number): Promise<StoredSchedule[]>;
  /** Locks schedules whose awaited run has ended, and returns the times of these ends. Skips locked schedules. */
  lockEnded(tx: Tx, limit: number): Promise<(StoredSchedule & { endedAt: number })[]>;
  /** Locks the last jobs of schedules in the order of ids. Call it before `cancelJob`. */
  lockLastJobs(tx: Tx, schedules: readonly Schedule[]): Promise<void>;
  /** Locks schedules that are not due yet and whose next instant was computed with an older tz database. Skips locked schedules. */
  lockOutdated(tx: Tx, zoneDatabase: string, limit: number): Promise<StoredSchedule[]>;
  /** Delays the schedule that is due first, after it has failed. */
  postponeFirst(): Promise<void>;
  /** The pending work. Locks nothing. */
  readWork(zoneDatabase: string): Promise<Work>;
  /**
   * Stores decided occurrences of schedules with the events of those that were skipped, and the progress of the schedules, in one statement. An
   * occurrence that already has a row is decided again only if its state is one of `replaces`. @throws Error if it has another state: nothing is
   * stored, and the transaction must end.
   */
  recordOccurrences(
    tx: Tx,
    decisions: readonly { schedule: Schedule; rows: readonly OccurrenceRow[]; progress: Progress }[],
    replaces?: readonly OccurrenceRow['state'][],
  ): Promise<void>;
  /** How the last tasks or jobs of schedules ended, and what is known of the users for whom they act, in their order. */
  readGrounds(
    tx: Tx,
    schedules: readonly (Pick<Schedule, 'actsFor' | 'lastTaskId' | 'lastJobId'> & { projectId: string | null })[],
  ): Promise<{ last: LastRun; standing: Standing }[]>;
  /** Cancels a job on behalf of the schedule, or asks its worker to cancel it. */
  cancelJob(tx: Tx, jobId: string, schedule: Schedule): Promise<void>;
  /** Stores tasks, except those whose assignee is not a performer. Returns the ids of the stored ones. */
  insertScheduledTasks(tx: Tx, tasks: readonly ScheduledTask[]): Promise<ReadonlySet<string>>;
};

export type ScheduleStore = ScheduleReads & ScheduleWrites;

export type SchedulePorts = {
  schedules: ScheduleStore;
  tasks: TaskStore;
  projects: Pick<ProjectStore, 'find'>;
  jobs: Pick<JobEnqueuing, 'enqueueWithin'>;
  rules: RuleEvaluator;
  clock: DatabaseClock;
  /** Wakes the loop that runs schedules, after a commit. */
  wake(): void;
  /** Counts decided occurrences, after the commit. */
  counted(rows: readonly OccurrenceRow[]): void;
};
