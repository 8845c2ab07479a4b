/** How a JobError fails its job. */
export type JobErrorOptions = {
  /** No other attempt would succeed: the job is dead at once. */
  final?: boolean;
  /** Seconds until the next attempt, at most a day, instead of the back-off. */
  retryAfter?: number;
  cause?: unknown;
};

/** Thrown by a handler to say how the job fails. Any other error fails it with the code `handler_error`, and it is retried with back-off. */
export class JobError extends Error {
  override readonly name = 'JobError';
  readonly code: string;
  readonly final: boolean;
  readonly retryAfter: number | undefined;

  /** `code` is stable and for programs, `message` is for people; both are stored with the job. */
  constructor(code: string, message: string, { final = false, retryAfter, cause }: JobErrorOptions = {}) {
    super(message, { cause });
    this.code = code;
    this.final = final;
    this.retryAfter = retryAfter;
  }
}

/**
 * Why a handler should stop. `cancel_requested`: the job was cancelled. `lease_lost`: another worker may have the job. `unconfirmed`: the lease is about
 * to end, and no heartbeat got through. `run_timeout`: the handler has run for `maxRunSeconds`. `stopping`: the grace of `stop()` is over.
 */
export type AbortReason = 'cancel_requested' | 'lease_lost' | 'unconfirmed' | 'run_timeout' | 'stopping';

const explanations: Readonly<Record<AbortReason, string>> = {
  cancel_requested: 'The job was cancelled.',
  lease_lost: 'The lease has ended, and another worker may have the job.',
  unconfirmed: 'The lease is about to end, and no heartbeat has extended it.',
  run_timeout: 'The handler has reached its time limit.',
  stopping: 'The worker is stopping.',
};

/** The reason of an aborted `signal`. */
export class JobAborted extends Error {
  override readonly name = 'JobAborted';
  readonly reason: AbortReason;

  constructor(reason: AbortReason) {
    super(explanations[reason]);
    this.reason = reason;
  }
}
