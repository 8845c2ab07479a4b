import type { WorkerEvent } from './events.ts';

/** A job as passed to its handler. */
export type Job<Payload = unknown> = {
  id: string;
  queue: string;
  kind: string;
  payload: Payload;
  /** From 1. */
  attempt: number;
  /** The job is not started after this time. */
  deadline: string | null;
};

export type JobContext = {
  /** Aborted, with a JobAborted as its reason, when the handler should stop. */
  signal: AbortSignal;
  /** Grows with every lease of the job. Send it with your writes, and refuse a write with a lower one: it comes from a worker that has lost the job. */
  fence: number;
  /** Reports progress: any JSON of at most 64 KiB. Only the latest is kept. */
  progress(value: unknown): void;
};

/** Carries out a job. The return value is the result of the job: any JSON of at most 64 KiB. An error that it throws fails the job. */
export type Handler<Payload = unknown> = (job: Job<Payload>, context: JobContext) => unknown;

/** The credentials of a registered client. */
export type ClientCredentials = {
  clientId: string;
  /** The secret, or a function that makes a signed assertion for each request (private_key_jwt). */
  credential: string | (() => string | Promise<string>);
  /** The origin of the OpenID provider, if it differs from `url`. */
  issuerOrigin?: string;
};

/** A signal that can stop a worker. */
export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP';

export type WorkerOptions<Payload = unknown> = {
  /** The origin of the gateway, for example `https://taskwire.example.com`. */
  url: string;
  /**
   * The credentials of the client, or a function that returns an access token with the scope `jobs:work`; its argument is the token that was refused, if any.
   * With a secret, heartbeats get their own tokens. Otherwise the thread that sends them gets tokens from your thread, which must not be blocked for
   * longer than a token is valid.
   */
  auth: ClientCredentials | ((rejected?: string) => string | Promise<string>);
  queues: readonly string[];
  /** The maximum number of jobs at a time, from 1 to 1,000; 1 by default. */
  concurrency?: number;
  handler: Handler<Payload>;
  /** The length of leases, from 15 to 3,600; 30 by default. If a worker dies, its jobs are free after this time. */
  leaseSeconds?: number;
  /** A handler that takes longer is aborted, and its lease is not extended; 3,600 by default. */
  maxRunSeconds?: number;
  /** How long `stop()` waits for running jobs; 20 by default. */
  graceSeconds?: number;
  /** Names the worker in attempts and logs; host and process by default. */
  name?: string;
  /** The signals that stop the worker: SIGTERM and SIGINT by default. The process ends after that, unless something else handles the signal too. */
  signals?: readonly StopSignal[];
  /** Called with each event, for logs and metrics. */
  onEvent?: (event: WorkerEvent) => void;
};

export type Worker = {
  /** Carries out jobs until `stop()` or a signal. Rejects if the worker's credentials, scope or queues are refused at its start. */
  run(): Promise<void>;
  /** Claims no more jobs, waits for running jobs, and releases jobs that take longer than the grace period. */
  stop(): Promise<void>;
};
