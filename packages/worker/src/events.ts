import type { AbortReason } from './errors.ts';

/** The events that a worker reports, for logs and metrics. Times are whole milliseconds. */
export type WorkerEvent =
  | { event: 'job_started'; jobId: string; queue: string; kind: string; attempt: number }
  /** The handler's signal was aborted. */
  | { event: 'job_aborted'; jobId: string; reason: AbortReason }
  /**
   * The job has left this worker; `state` is its new state. A failed job has the `code` and `message` that are stored with it. `error` is the handler's
   * error; JSON leaves out the message of an error, so it is repeated as `message`.
   */
  | {
      event: 'job_settled';
      jobId: string;
      ending: 'completed' | 'failed' | 'released';
      state: string;
      runMs: number;
      code?: string;
      message?: string;
      error?: unknown;
    }
  /** The outcome of the handler has no effect. The job has another worker, or gets one when its lease has ended. */
  | {
      event: 'job_dropped';
      jobId: string;
      reason: 'lease_lost' | 'unanswered' | 'refused';
      message?: string;
      error?: unknown;
    }
  /** The lease has ended, and the handler still runs although its signal was aborted. Its slot is free for another job. */
  | { event: 'job_abandoned'; jobId: string }
  /** As many abandoned handlers run as `concurrency` allows: no job is claimed until one of them ends. Restart the process. */
  | { event: 'stalled'; abandoned: number }
  | { event: 'request_failed'; request: 'claim' | 'heartbeat' | 'settle'; message: string; retryInMs: number }
  | { event: 'stopping'; jobs: number }
  | { event: 'stopped' };

/** Passes an event on to `onEvent`. Never throws. */
export type Report = (event: WorkerEvent) => void;
