import type { JsonText, schemas, taskSuggestion } from '@taskwire/contracts';
import type { EventJourney } from '@taskwire/outbox';
import type { Page, Place, Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import type { Change, Grounds } from '../domain/change.ts';
import type { Choice } from '../domain/fairness.ts';
import type { Eligibility } from '../domain/performer.ts';
import type { Reader } from '../domain/projects/reader.ts';
import type { TextQuery } from '../domain/search/text-query.ts';
import type { ActedTask, Task, TaskFields } from '../domain/task.ts';
import type { TaskList } from './task-list.ts';

/** The journey of an event about a task, one of its comments (`comment_id`), or the job that carries it out (`job_id`). */
export type TaskEventJourney = Omit<EventJourney, 'aggregate_id'> & {
  comment_id: string | null;
  job_id: string | null;
};

/** JSON text as built by the database, sent unchanged. `etag` is the version of the resource, if it has one. */
export type Document<S extends z.ZodType = TaskSchema> = { text: JsonText<S>; etag?: number | undefined };

export type TaskSchema = typeof schemas.task;
export type TaskJson = JsonText<TaskSchema>;
export type ListedTaskJson = JsonText<typeof schemas.listedTask>;
export type LabelInUse = { label: string; count: number };
export type SuggestionJson = JsonText<typeof taskSuggestion>;
export type ActivityJson = JsonText<typeof schemas.activity>;

/** The response to a write. `replayed` is true for the saved response to an earlier request with the same Idempotency-Key. */
export type WriteResult<S extends z.ZodType = TaskSchema> = Document<S> & { replayed: boolean };

/** A request to be carried out at most once. */
export type IdempotentRequest = {
  actorId: string;
  key: string;
  /** SHA-256 of the content of the request. */
  fingerprint: Buffer;
};

export type NewTask = TaskFields & Pick<Task, 'creator_id' | 'assignee_id' | 'parent_id' | 'project_id'>;

/** A task, deleted or not. `is_below_deleted`: whether its parent is deleted; `is_left_behind`: whether its parent is in another project. */
export type DeletableTask = ActedTask & { is_deleted: boolean; deletion_id: string | null } & {
  is_below_deleted: boolean;
  is_left_behind: boolean;
};

/** The fields of a task that distribution needs. The small size matters when there are many tasks. */
export type OpenTask = Pick<Task, 'id' | 'state' | 'assignee_id' | 'project_id'>;

/** An open task whose assignee can't carry it out, with the reason. */
export type OrphanedTask = Task & { assignee_is_deleted: boolean; assignee_eligibility: Eligibility };

/**
 * The store of tasks and their activity log. Functions that take a `tx` run in that transaction; it locks rows in this
 * order: the assignment lock, the graph of tasks, jobs, tasks by id, directory.
 */
export type TaskStore = TaskReads & TaskLocks & Assignment & TaskWrites;

/** A task that the reader may not read is treated as missing. */
export type TaskReads = {
  /** Includes deleted tasks; `isDeleted` marks them. */
  readTask(id: string, reader: Reader): Promise<(Document & { isDeleted: boolean }) | undefined>;
  /**
   * Reads tasks for a reader of every task, with the members of the project of each. `deleted`: the ids of tasks that were deleted or, as far as
   * tombstones still show, purged.
   */
  readInternalTasks(
    ids: readonly string[],
  ): Promise<{ found: Document<typeof schemas.internalTask>[]; deleted: string[] }>;
  /** Like `readTask`, with `stats`. Facts of other resources change without a new version, so the document has no version. */
  readTaskWithStats(
    id: string,
    reader: Reader,
  ): Promise<(Document<typeof schemas.readTask> & { isDeleted: boolean }) | undefined>;
  /**
   * `asOf`, for a filter with a text, is the time at which the text search was up to date.
   * @throws Problem `search_busy` when this filter and order take too long, and what `requireWords` throws.
   */
  listTasks(list: TaskList, place: Place): Promise<Page<ListedTaskJson> & { asOf?: string }>;
  /** Requires that each alternative of a text query has a word that the search can find. @throws Problem `search_too_broad`. */
  requireWords(tx: Tx, text: TextQuery): Promise<void>;
  /** The labels of readable tasks that begin with a prefix, sorted by character codes. @throws Problem `search_busy`. */
  listLabels(prefix: string, reader: Reader, place: Place): Promise<Page<LabelInUse>>;
  /** The tasks whose titles are most similar to a text. @throws Problem `search_busy`. */
  suggestTasks(text: string, reader: Reader): Promise<SuggestionJson[]>;
  /** Oldest first; undefined when the task doesn't exist. */
  listActivity(taskId: string, reader: Reader, place: Place): Promise<Page<ActivityJson> | undefined>;
  /** Oldest first; undefined when the task doesn't exist and no event of it is known. */
  listJourneys(taskId: string, place: Place): Promise<Page<TaskEventJourney> | undefined>;
  /** Whether an open task has lost its performer, or a draft awaits one while a performer exists. Takes no locks. */
  needReassignment(): Promise<boolean>;
};

export type TaskLocks = {
  /** Locks and returns the task; undefined when it is deleted or never existed, or the reader may not read it. */
  lockTask(tx: Tx, id: string, reader: Reader): Promise<ActedTask | undefined>;
  /** Like `lockTask`, for a task that is about to end: first locks its job, and also locks the tasks that it blocks. */
  lockTaskToEnd(tx: Tx, id: string, reader: Reader): Promise<ActedTask | undefined>;
  /** Like `lockTask`, but finds deleted tasks too. */
  lockTaskOrDeleted(tx: Tx, id: string, reader: Reader): Promise<DeletableTask | undefined>;
  /**
   * Locks a task, deleted or not, the tasks that were deleted with it, and the parent of the uppermost of them, in the order of their ids. Requires the
   * lock of the graph. Returns the parent separately; undefined without one that the reader may read.
   */
  lockDeletion(
    tx: Tx,
    id: string,
    reader: Reader,
  ): Promise<{ deletion: Map<string, DeletableTask>; parent: DeletableTask | undefined }>;
  /** The assignees of locked, deleted tasks at the time of their deletion, by task id. */
  assigneesBeforeDeletion(tx: Tx, taskIds: readonly string[]): Promise<Map<string, string>>;
  /**
   * Locks everything that several operations of one transaction need, in the order of all transactions: the assignment lock if one of them `assigns`,
   * the graph if one of them `links` or deletes tasks, the jobs of the tasks, the tasks together with those that they block.
   */
  lockForOperations(tx: Tx, needs: { ids: readonly string[]; assigns: boolean; links: boolean }): Promise<void>;
  /** Locks and returns all open tasks, ordered by id to avoid deadlocks between concurrent calls. */
  lockOpenTasks(tx: Tx): Promise<OpenTask[]>;
  /**
   * Locks up to `limit` open tasks whose assignee is no longer a performer, or no longer a contributor of their project. Skips tasks that another
   * transaction has locked.
   */
  lockOrphanedTasks(tx: Tx, limit: number): Promise<OrphanedTask[]>;
  /** Locks up to `limit` drafts that await a performer and can be assigned to one, also skipping locked ones. */
  lockAwaitingTasks(tx: Tx, limit: number): Promise<Task[]>;
};

/**
 * Chooses and locks performers; for a task of a project, among its contributors and leads. A performer locked FOR SHARE stays one until the
 * transaction ends, and stays in the project.
 */
export type Assignment = {
  /**
   * Waits for the assignment lock and holds it until the transaction ends. Without it, concurrent transactions that
   * can't see each other's assignments would choose the same performer.
   */
  lockAssignments(tx: Tx): Promise<void>;
  /**
   * The performer with the fewest open tasks (ties are broken at random), locked so that they can't lose the role. The given task, which is being
   * reassigned, doesn't count. Requires the assignment lock.
   */
  pickLeastLoaded(tx: Tx, task: { id: string | null; project_id: string | null }): Promise<Choice | undefined>;
  /** All performers, locked in the same way, ordered by id to avoid deadlocks between concurrent calls. */
  lockPerformers(tx: Tx): Promise<string[]>;
  /** The performers of each of these projects, locked in the same way. */
  lockContributors(tx: Tx, projectIds: readonly string[]): Promise<Map<string, string[]>>;
  /** A user's eligibility, with the user locked in the same way. */
  lockEligibility(tx: Tx, userId: string, projectId: string | null): Promise<Eligibility>;
};

export type TaskWrites = {
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Runs `work` and saves its response in the same transaction. A request that already has a saved response isn't run
   * again; a request without a key always runs. When `work` throws, everything is rolled back, so the same key can be
   * retried.
   * @throws Problem `idempotency_key_reused` for a different request under the same key, `idempotency_in_progress` when
   * the first request doesn't finish in time, `not_found` when the saved response shows a task or a project that the actor may no longer read.
   */
  once<S extends z.ZodType = TaskSchema>(
    request: IdempotentRequest | undefined,
    work: (tx: Tx) => Promise<Document<S>>,
  ): Promise<WriteResult<S>>;
  /**
   * Stores a new task with its events and activity entries, in one statement. Returns `ineligible` and stores nothing
   * when the assignee is unknown or not a performer.
   * @throws the same as `once`.
   */
  createTask(task: NewTask, request: IdempotentRequest | undefined): Promise<WriteResult | 'ineligible'>;
  /** Stores a new task, like `createTask`, in a transaction. Returns undefined instead of `ineligible`. */
  createTaskWithin(tx: Tx, task: NewTask): Promise<Document | undefined>;
  /** Stores a new task whose assignee, if any, this transaction has locked. */
  insertTask(tx: Tx, task: NewTask, grounds: Grounds): Promise<Document>;
  /** Returns an id for a new task, made from the clock of the database. */
  newTaskId(tx: Tx): Promise<string>;
  /** Stores a new task with this id, which this job carries out. */
  insertJobTask(tx: Tx, task: NewTask, ids: { id: string; jobId: string }): Promise<Document>;
  /** Cancels the job of a task, which this transaction has locked with its task; a leased job ends as cancelled with its lease. */
  cancelJobOf(tx: Tx, task: { job_id: string | null }, actorId: string): Promise<void>;
  /**
   * Stores a change to a locked task with its events and activity entries. `actorId` is null for the system. Returns
   * the task after the change. A change that ends the task also announces the tasks of which it was the last open blocker.
   */
  applyChange(tx: Tx, task: { id: string }, change: Change, actorId: string | null): Promise<Document>;
  /** Applies many changes at once. */
  applyChanges(tx: Tx, changes: readonly (readonly [{ id: string }, Change])[], actorId: string | null): Promise<void>;
};

/** The users that this service knows. */
export type Users = {
  /**
   * A user's eligibility; queries Auth when the directory doesn't know the user yet.
   * @throws Problem `unavailable` when Auth is unavailable.
   */
  eligibilityOf(userId: string): Promise<Eligibility>;
};
