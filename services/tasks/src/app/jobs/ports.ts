import type { JsonText, tasksRoutes } from '@taskwire/contracts';
import type { Page, Place, Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import type { Ending } from '../../domain/jobs/end-of-lease.ts';
import type { Lease } from '../../domain/jobs/lease-token.ts';
import type { Document, IdempotentRequest, TaskWrites, WriteResult } from '../ports.ts';

type Routes = typeof tasksRoutes;

export type JobDocument = Document<Routes['getJob']['responses'][200]>;
export type ReceiptSchema = Routes['enqueueJob']['responses'][201];
export type Receipt = z.output<ReceiptSchema>;

export type NewJob = {
  queue: string;
  kind: string;
  /** JSON text. */
  payload: string;
  /** Null runs the job as soon as possible. */
  runAt: string | null;
  priority: number;
  maxAttempts: number;
  deadline: string | null;
  unique: UniqueKey | null;
  concurrencyKey: string | null;
  /** Ids of predecessors. */
  after: readonly string[];
  /** The queues of the client that sends the job, which knows no predecessor in others. Null for all queues. */
  senderQueues: readonly string[] | null;
  /** The name of the user, client or schedule that enqueues the job. */
  createdBy: string;
  /** Omitted: the database generates the id. */
  id?: string;
  /** The task that the job carries out. */
  taskId?: string;
  /** The place of the job in its request, which precedes the names of its fields in problems, such as `jobs.3.`. */
  path?: string;
};

/** `windowMs` is null for a key that the job holds until it is settled. */
type UniqueKey = { key: string; windowMs: number | null; onConflict: 'return' | 'reject' };

/** Stores new jobs. */
export type JobEnqueuing = {
  /**
   * Stores all of these jobs or none, and returns `render` of their receipts, in their order. A repeated idempotent request gets the first response.
   * @throws Problem `invalid_input` for an unknown predecessor, `job_exists` for a unique key with `reject` that another job holds, and the same
   * problems as `TaskStore.once`.
   */
  enqueue<S extends z.ZodType>(
    batch: { jobs: readonly NewJob[]; request: IdempotentRequest | undefined },
    render: (receipts: readonly Receipt[]) => JsonText<S>,
  ): Promise<WriteResult<S>>;
  /**
   * Stores jobs in this transaction. @throws the same problems as `enqueue`; `job_exists` if another job holds a unique key, whatever `onConflict`
   * is.
   */
  enqueueWithin(tx: Tx, jobs: readonly NewJob[]): Promise<Receipt[]>;
};

export type JobFilter = { state?: string | undefined; queue?: string | undefined; kind?: string | undefined };

export type JobReads = {
  /** Newest first. */
  listJobs(filter: JobFilter, place: Place): Promise<Page<JobDocument['text']>>;
  readJob(id: string, tx?: Tx): Promise<FoundJob | undefined>;
};

/** `mark` changes with everything in the text that can change. */
export type FoundJob = JobDocument & { queue: string; mark: string; hasEnded: boolean };

export type JobMarks = {
  /** The marks of the jobs that exist, by id. */
  readMarks(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
};

export type ClaimedJob = JsonText<Routes['claimJobs']['responses'][200]['shape']['data']['element']>;

export type Claim = {
  clientId: string;
  claimId: string;
  queues: readonly string[];
  limit: number;
  leaseMs: number;
  worker: string;
};

/** A lease that was extended. */
export type Extension = { leaseMs: number; leaseExpiresAt: string; cancelRequested: boolean };

/** A settlement of a lease by its worker. `result` and `error` are JSON text. */
export type Settlement = {
  lease: Lease;
  ending: Exclude<Ending, { kind: 'expired' }>;
  result?: string;
  error?: string;
};

/** The state after a settlement. */
export type SettledJob = { state: z.output<Routes['completeJob']['responses'][200]>['state']; run_at: string };

/** The operations of workers. `queues` are the queues of the worker's client: a lease on any other queue counts as lost. */
export type JobLeases = {
  /**
   * Leases due jobs in the order of their ranks, or returns the jobs that a repeated claim still holds. Returns fewer than `limit` if together they
   * would exceed 4 MiB.
   */
  claim(claim: Claim): Promise<readonly ClaimedJob[]>;
  /** Counts the due jobs of each queue, up to `limit`. Omits queues that have none. */
  countClaimable(queues: readonly string[], limit: number): Promise<ReadonlyMap<string, number>>;
  /** Extends leases by their length. The keys of the result are the fences of the leases that were not lost. */
  extend(
    leases: readonly (Lease & { progress: string | null })[],
    queues: readonly string[],
  ): Promise<ReadonlyMap<string, Extension>>;
  /** Ends each lease once: a repeated settlement gets the first result. The keys of the result are the fences of the leases that were not lost. */
  settle(settlements: readonly Settlement[], queues: readonly string[]): Promise<ReadonlyMap<string, SettledJob>>;
  /** Records a sign of life from a worker, at most once a second. */
  heard(): Promise<void>;
};

/** Someone who changes jobs, for the audit. `userId` is null for a program. */
export type Operator = { name: string; userId: string | null; reason: string };

/** Selects dead jobs, oldest first. */
type DeadJobs = {
  id?: string;
  queue?: string | undefined;
  kind?: string | undefined;
  reason?: string | undefined;
  until?: string | undefined;
  limit: number;
};

/** The operations of operators on jobs. Each change is audited. */
export type JobOperating = Pick<TaskWrites, 'once'> & {
  /** Cancels a job that has not ended, or asks its worker to cancel it. Returns undefined for any other job. */
  cancel(tx: Tx, id: string, by: Omit<Operator, 'reason'>): Promise<JobDocument | undefined>;
  /** Queues dead jobs again. Returns their number. */
  replay(tx: Tx, jobs: DeadJobs, by: Operator): Promise<number>;
  /** Cancels dead jobs permanently. Returns their number. */
  drop(tx: Tx, jobs: DeadJobs, by: Operator): Promise<number>;
};

/** The limits of the jobs of a key. Null means no limit. */
export type JobLimit = { maxRunning: number | null; rate: { n: number; perMs: number } | null };

/** `key` is `*` for every key of the queue without limits of its own. */
export type JobLimiting = {
  setLimit(queue: string, key: string, limit: JobLimit, by: string): Promise<void>;
  listLimits(queue: string): Promise<readonly ({ key: string } & JobLimit)[]>;
};

/** The work of the background loops. */
export type JobUpkeep = {
  /** Queues scheduled jobs that have become due; up to 1,000. */
  promote(): Promise<{ promoted: number; nextRunInMs: number | null }>;
  /** Ends jobs whose deadline has passed before they started; up to 1,000. */
  endOverdue(): Promise<number>;
  /** Frees or cancels jobs whose predecessors have been settled; resolves up to 100 predecessors. */
  resolveDependents(): Promise<number>;
  /** Ends leases that have expired, unless workers can't reach us. Returns undefined when another process is doing this. */
  reap(): Promise<{ expired: number; isComplete: boolean } | undefined>;
};

/** Hints that this process has work to do. A hint is sent after a commit and may be lost, so correctness rests on polling. */
/** A queued job: its concurrency key, and its rank as an instant in the database's format. */
export type QueuedJob = { key: string | null; rankAt: string };

export type JobHints = {
  /** Jobs were queued. */
  queued(queue: string, jobs: readonly QueuedJob[]): void;
  /** Jobs were scheduled, or settled while others wait for them. */
  scheduled(): void;
  /** Jobs with a concurrency key ended, or a limit changed: up to `count` other jobs of the queue may start. */
  freed(queue: string, count: number): void;
  /** A lease expired, and its job is now in this state. */
  expired(queue: string, state: string): void;
};
