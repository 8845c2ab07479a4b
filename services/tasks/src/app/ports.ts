import type { Change } from '../domain/change.ts';
import type { Choice } from '../domain/fairness.ts';
import type { PerformerStanding } from '../domain/performer.ts';
import type { Task, TaskFields, TaskState } from '../domain/task.ts';

/** JSON text as the database built it, sent unchanged. `etag` is the version of the resource, if it has one. */
export type Document = { text: string; etag?: number };

/**
 * The response to a request. `replayed` is true for a stored response to an earlier request with the same
 * Idempotency-Key.
 */
export type Answer = Document & { replayed: boolean };

/** A request to be carried out at most once. */
export type IdempotentRequest = {
  actorId: string;
  key: string;
  /** SHA-256 of the content of the request. */
  fingerprint: Buffer;
};

export type NewTask = TaskFields & { creator_id: string; assignee_id: string | null };

export type TaskFilter = {
  state?: TaskState | undefined;
  /** A user's id; `none` for unassigned tasks. */
  assignee?: string | undefined;
  creator?: string | undefined;
  /**
   * `is: true`: only tasks assigned to this user. `is: false`: only tasks assigned to other users, and unassigned
   * tasks.
   */
  mine?: { userId: string; is: boolean } | undefined;
};

/** A page of a list. `next` is the position to continue from; it is null on the last page. */
export type Page<P> = { items: readonly string[]; next: P | null };

/** A user's eligibility according to the user directory. */
export type Standing = PerformerStanding | 'unknown';

/** The store of tasks and their activity log. */
export type TaskStore = {
  /**
   * Stores a new task with its events and activity entries, in one statement. Returns `no performer` and stores nothing
   * when the assignee is unknown or not a performer.
   * @throws the same as `once`.
   */
  create(task: NewTask, request: IdempotentRequest | undefined): Promise<Answer | 'no performer'>;
  /**
   * Runs `work` and stores its response in the same transaction. A request that already has a stored response isn't run
   * again; a request without a key always runs. When `work` throws, everything is rolled back, so the same key can be
   * retried.
   * @throws Problem `idempotency_key_reused` for a different request under the same key, `idempotency_in_progress` when
   * the first request doesn't finish in time.
   */
  once(request: IdempotentRequest | undefined, work: (tx: TaskTransaction) => Promise<Document>): Promise<Answer>;
  transaction<T>(work: (tx: TaskTransaction) => Promise<T>): Promise<T>;
  /** Includes deleted tasks; `isDeleted` marks them. */
  read(id: string): Promise<(Document & { isDeleted: boolean }) | undefined>;
  /** Newest first, starting after `position` (an id). */
  list(filter: TaskFilter, position: string | undefined, limit: number): Promise<Page<string>>;
  /** Oldest first, starting after `position`; undefined when the task doesn't exist. */
  listActivity(taskId: string, position: string | undefined, limit: number): Promise<Page<string> | undefined>;
  /** Whether an open task has lost its performer, or a draft awaits one while a performer exists. Takes no locks. */
  needSettling(): Promise<boolean>;
};

/** The fields of a task that reassignment needs. The small size matters when there are many tasks. */
export type OpenTask = Pick<Task, 'id' | 'state' | 'assignee_id'>;

/** An open task whose assignee can't carry it out, and why. */
export type StrandedTask = Task & { assignee_is_deleted: boolean; assignee_standing: Standing };

/** The operations of one transaction. Rows are locked in this order: the assignment lock, tasks, directory. */
export type TaskTransaction = {
  /** Locks and returns the task; undefined when it is deleted or never existed. */
  lock(id: string): Promise<Task | undefined>;
  /** Locks and returns all open tasks. */
  lockOpen(): Promise<OpenTask[]>;
  /**
   * Locks up to `limit` open tasks whose assignee is no longer a performer. Skips tasks that another transaction has
   * locked.
   */
  lockStranded(limit: number): Promise<StrandedTask[]>;
  /** Locks up to `limit` drafts that await a performer, also skipping locked ones. */
  lockAwaiting(limit: number): Promise<Task[]>;
  create(task: NewTask, reason: string): Promise<Document>;
  /**
   * Stores a change to a locked task with its events and activity entries. `actorId` is null for the system. Returns
   * the task after the change.
   */
  apply(task: Task, change: Change, actorId: string | null): Promise<Document>;
  /** Applies many changes at once. */
  applyAll(changes: readonly [OpenTask, Change][], actorId: string | null): Promise<void>;
  /**
   * Waits for the assignment lock and holds it until the transaction ends. Without it, concurrent transactions that
   * can't see each other's assignments would choose the same performer.
   */
  takeTurn(): Promise<void>;
  /**
   * The performer with the fewest open tasks, ties broken at random, locked against losing the role. The task `taskId`,
   * which is being reassigned, doesn't count.
   */
  chooseFairly(taskId: string | null): Promise<Choice | undefined>;
  /** All performers, locked in the same way. */
  lockPerformers(): Promise<string[]>;
  /** A user's eligibility, with the user locked in the same way. */
  lockStanding(userId: string): Promise<Standing>;
};

/** The users that this service knows. */
export type People = {
  /**
   * A user's eligibility; queries Auth when the directory doesn't know the user yet.
   * @throws Problem `unavailable` when Auth can't answer.
   */
  standing(userId: string): Promise<Standing>;
};
