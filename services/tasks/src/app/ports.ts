import type { Change } from '../domain/change.ts';
import type { Choice } from '../domain/fairness.ts';
import type { PerformerStanding } from '../domain/performer.ts';
import type { Task, TaskFields, TaskState } from '../domain/task.ts';

/** JSON text as the database made it, sent as it is; with the version of the resource where it has one. */
export type Document = { text: string; etag?: number };

/** What a request is answered with; `replayed` when it is the answer to an earlier request with the same Idempotency-Key. */
export type Answer = Document & { replayed: boolean };

/** A request that asks to be carried out at most once. */
export type IdempotentRequest = {
  actorId: string;
  key: string;
  /** SHA-256 of what the request asks for. */
  fingerprint: Buffer;
};

export type NewTask = TaskFields & { creator_id: string; assignee_id: string | null };

export type TaskFilter = {
  state?: TaskState | undefined;
  /** A user's id; `none` for tasks without a performer. */
  assignee?: string | undefined;
  creator?: string | undefined;
  /** Only tasks of this performer, or only those of others and of nobody. */
  mine?: { userId: string; is: boolean } | undefined;
};

/** A page of a list; `next` is the position after it, or null at the end. */
export type Page<P> = { items: readonly string[]; next: P | null };

/** What somebody is to the user directory. */
export type Standing = PerformerStanding | 'unknown';

/** The tasks of the service and what was done to them. */
export type TaskStore = {
  /**
   * Stores a new task with its events and entries, in one statement. `no performer` when the assignee is not one (or not known): nothing was
   * stored then. @throws as `once`.
   */
  create(task: NewTask, request: IdempotentRequest | undefined): Promise<Answer | 'no performer'>;
  /**
   * Runs `work` in a transaction together with the record of its answer. A request that was answered before is not run again; a
   * request without a key always is. What `work` throws leaves nothing behind, so the same key may then be tried again.
   * @throws Problem `idempotency_key_reused` for another request under the same key, `idempotency_in_progress` when the first one
   * does not end in time.
   */
  once(request: IdempotentRequest | undefined, work: (tx: TaskTransaction) => Promise<Document>): Promise<Answer>;
  transaction<T>(work: (tx: TaskTransaction) => Promise<T>): Promise<T>;
  /** Also a deleted one, which says so. */
  read(id: string): Promise<(Document & { isDeleted: boolean }) | undefined>;
  /** Newest first, from after `position` (an id). */
  list(filter: TaskFilter, position: string | undefined, limit: number): Promise<Page<string>>;
  /** Oldest first, from after `position`; undefined when there is no such task. */
  listActivity(taskId: string, position: string | undefined, limit: number): Promise<Page<string> | undefined>;
  /** Whether some task lost its performer, or waits for one although there are some. Locks nothing. */
  needSettling(): Promise<boolean>;
};

/** As much of a task as moving it needs, which matters when there are many. */
export type OpenTask = Pick<Task, 'id' | 'state' | 'assignee_id'>;

/** An open task whose assignee cannot carry it out, and why. */
export type StrandedTask = Task & { assignee_is_deleted: boolean; assignee_standing: Standing };

/** What can be done in one transaction. Rows are locked in this order: the turn, tasks, directory. */
export type TaskTransaction = {
  /** The task, locked; undefined for one that is deleted or never was. */
  lock(id: string): Promise<Task | undefined>;
  /** All open tasks, locked. */
  lockOpen(): Promise<OpenTask[]>;
  /** Some open tasks whose assignee is no performer any more, locked; those that somebody else has locked are left out. */
  lockStranded(limit: number): Promise<StrandedTask[]>;
  /** Some drafts that wait for a performer, locked likewise. */
  lockAwaiting(limit: number): Promise<Task[]>;
  create(task: NewTask, reason: string): Promise<Document>;
  /** Stores the change of a locked task with its events and entries; `actorId` null for the system. Tells how the task is now. */
  apply(task: Task, change: Change, actorId: string | null): Promise<Document>;
  /** Many at once. */
  applyAll(changes: readonly [OpenTask, Change][], actorId: string | null): Promise<void>;
  /** Waits for the turn to choose fairly and keeps it until the end: choices that cannot see one another would choose the same person. */
  takeTurn(): Promise<void>;
  /** The performer with the fewest open tasks, ties by chance, locked against losing the role. A task that is being moved does not count. */
  chooseFairly(taskId: string | null): Promise<Choice | undefined>;
  /** All performers, locked likewise. */
  lockPerformers(): Promise<string[]>;
  /** What a person is, locked likewise. */
  lockStanding(userId: string): Promise<Standing>;
};

/** The people that this service knows of. */
export type People = {
  /** Asks Auth about somebody who is not known yet. @throws Problem `unavailable` when Auth cannot say. */
  standing(userId: string): Promise<Standing>;
};
