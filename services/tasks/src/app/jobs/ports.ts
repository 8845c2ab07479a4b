import type { JsonText, tasksRoutes } from '@taskwire/contracts';
import type { Page, Place, Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import type { Ending } from '../../domain/jobs/end-of-lease.ts';
import type { Lease } from '../../domain/jobs/lease-token.ts';
import type { Document, IdempotentRequest, WriteResult } from '../ports.ts';

type Routes = typeof tasksRoutes;

export type JobDocument = Document<Routes['getJob']['responses'][200]>;
export type ReceiptSchema = Routes['enqueueJob']['responses'][201];
export type Receipt = z.output<ReceiptSchema>;

export type NewJob = {
  queue: string;
  kind: string;
  /** JSON text. */
  payload: string;
  /** Null for now. */
  runAt: string | null;
  priority: number;
  maxAttempts: number;
  deadline: string | null;
  unique: UniqueKey | null;
  concurrencyKey: string | null;
  /** Ids of predecessors. */
  after: readonly string[];
  /** Instead of an id that the database makes. */
  id?: string;
  /** The task that the job carries out. */
  taskId?: string;
};

/** `windowMs` is null for a key that the job holds until it is settled. */
type UniqueKey = { key: string; windowMs: number | null; onConflict: 'return' | 'reject' };

/** Stores new jobs. */
export type JobEnqueuing = {
  /**
   * Stores all of these jobs or none, and returns `render` of their receipts, in their order. The same idempotent request again gets the first response.
   * @throws Problem `invalid_input` for an unknown predecessor, `job_exists` for a unique key with `reject` that another job holds, and as `TaskStore.once`.
   */
  enqueue<S extends z.ZodType>(
    batch: { jobs: readonly NewJob[]; createdBy: string; request: IdempotentRequest | undefined },
    render: (receipts: readonly Receipt[]) => JsonText<S>,
  ): Promise<WriteResult<S>>;
  /** Stores a job in this transaction. @throws Problem as `enqueue`; `job_exists` if another job holds its unique key, whatever it says of conflicts. */
  enqueueWithin(tx: Tx, job: NewJob, createdBy: string): Promise<Receipt>;
};

export type JobFilter = { state?: string | undefined; queue?: string | undefined; kind?: string | undefined };

export type JobReads = {
  /** Newest first. */
  listJobs(filter: JobFilter, place: Place): Promise<Page<JobDocument['text']>>;
  readJob(id: string): Promise<(JobDocument & { queue: string }) | undefined>;
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

/** How a worker ends a lease. `result` and `error` are JSON text. */
export type Settlement = {
  lease: Lease;
  ending: Exclude<Ending, { kind: 'expired' }>;
  result?: string;
  error?: string;
};

/** The state after a settlement. */
export type SettledJob = { state: z.output<Routes['completeJob']['responses'][200]>['state']; run_at: string };

/** What workers do. `queues` are those of the worker's client: a lease on another queue counts as lost. */
export type JobLeases = {
  /**
   * Leases due jobs, first by rank, or returns those that the same claim has leased and still has. Fewer than `limit` if they would have more than
   * 4 MiB together.
   */
  claim(claim: Claim): Promise<readonly ClaimedJob[]>;
  /** How many due jobs these queues have, at most `limit` of each. Queues without one are omitted. */
  countClaimable(queues: readonly string[], limit: number): Promise<ReadonlyMap<string, number>>;
  /** Extends leases by their length. The result has the fences of those that were not lost. */
  extend(
    leases: readonly (Lease & { progress: string | null })[],
    queues: readonly string[],
  ): Promise<ReadonlyMap<string, Extension>>;
  /** Ends leases, each once: the same settlement again gets the first result. The result has the fences of those that were not lost. */
  settle(settlements: readonly Settlement[], queues: readonly string[]): Promise<ReadonlyMap<string, SettledJob>>;
  /** Notes that a worker was heard, at most once a second. */
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

/** What people do to jobs. Each change is audited. */
export type JobOperating = {
  /** Cancels a job that has not ended, or requests that from its worker. Undefined for any other job. */
  cancel(id: string, by: Omit<Operator, 'reason'>): Promise<JobDocument | undefined>;
  /** Queues dead jobs again. Returns how many. */
  replay(jobs: DeadJobs, by: Operator): Promise<number>;
  /** Cancels dead jobs for good. Returns how many. */
  drop(jobs: DeadJobs, by: Operator): Promise<number>;
};

/** The limits of the jobs of a key. Null for none. */
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
  /** Frees or cancels jobs whose predecessors have been settled; those of up to 100 predecessors. */
  resolveDependents(): Promise<number>;
  /** Ends leases that have expired, unless workers can't reach us. Undefined when another process does it. */
  reap(): Promise<{ expired: number; isComplete: boolean } | undefined>;
};

/** Hints for work in this process. They are sent after a commit and may be lost: polling is the guarantee. */
export type JobHints = {
  /** Jobs were queued. `rankAt` is the lowest of their ranks. */
  queued(queue: string, jobs: { count: number; rankAt: string }): void;
  /** Jobs were scheduled, or settled while others wait for them. */
  scheduled(): void;
  /** A job with a concurrency key ended, or a limit changed: another job of the queue may start. */
  freed(queue: string): void;
  /** A lease expired, and its job is in this state now. */
  expired(queue: string, state: string): void;
};
