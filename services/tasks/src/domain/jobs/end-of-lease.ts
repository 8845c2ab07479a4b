import { longestPauseMs } from './back-off.ts';
import { mostCrashes, mostUndelivered } from './limits.ts';

/** The fields of a leased job that decide what follows its lease. */
export type Leased = {
  attempts: number;
  maxAttempts: number;
  crashes: number;
  undelivered: number;
  cancelRequested: boolean;
  /** Whether the task of the job was cancelled or deleted; then the cancellation was requested too. */
  cancelIsFinal: boolean;
  /** Whether the worker has sent a heartbeat for this lease. */
  isConfirmed: boolean;
};

/** How a lease ends: the worker settles it, or it expires. */
export type Ending =
  | { kind: 'completed' }
  | { kind: 'failed'; isFinal: boolean; retryAfterMs: number | null }
  | { kind: 'released' }
  | { kind: 'expired' };

/**
 * The state after the lease. `pauseMs` is the time from then to the next start, which also determines the rank; null if both stay as they are. If `isRandom`,
 * it is the longest possible pause.
 */
export type Next = {
  outcome: 'completed' | 'failed' | 'released' | 'crashed' | 'undelivered';
  state: 'succeeded' | 'scheduled' | 'queued' | 'dead' | 'cancelled';
  reason: 'final' | 'attempts_exhausted' | 'poison' | 'undelivered' | 'requested' | null;
  pauseMs: number | null;
  isRandom: boolean;
};

/**
 * The state of a job after its lease. `postgres/jobs/end-lease-sql.ts` decides in the statement that ends it, where no other process can come between;
 * a test compares the two for every case.
 */
export function afterLease(job: Leased, ending: Ending): Next {
  const outcome = outcomeOf(job, ending);
  const isAttempt = outcome === 'completed' || outcome === 'failed' || outcome === 'crashed';
  const attempts = job.attempts + (isAttempt ? 1 : 0);
  const ended = (state: Next['state'], reason: Next['reason']) => ({
    ...{ outcome, state, reason, pauseMs: null, isRandom: false },
  });
  if (outcome === 'completed' && !job.cancelIsFinal) return ended('succeeded', null);
  if (job.cancelRequested) return ended('cancelled', 'requested');
  if (ending.kind === 'failed' && ending.isFinal) return ended('dead', 'final');
  if (outcome === 'crashed' && job.crashes + 1 >= mostCrashes) return ended('dead', 'poison');
  if (outcome === 'undelivered' && job.undelivered + 1 >= mostUndelivered) return ended('dead', 'undelivered');
  if (isAttempt && attempts >= job.maxAttempts) return ended('dead', 'attempts_exhausted');
  if (ending.kind === 'failed' && ending.retryAfterMs !== null) {
    return { outcome, state: 'scheduled', reason: null, pauseMs: ending.retryAfterMs, isRandom: false };
  }
  if (outcome === 'failed') return retry(outcome, attempts);
  // the first crash is more likely the worker's fault than the job's, and another worker is waiting
  if (outcome === 'crashed' && job.crashes > 0) return retry(outcome, job.crashes);
  if (ending.kind === 'released') return ended('queued', null);
  // another process than those that claim ends the lease: below its old rank, their floors would hide the job for up to a second
  return { ...ended('queued', null), pauseMs: 0 };
}

function outcomeOf({ isConfirmed }: Leased, { kind }: Ending): Next['outcome'] {
  if (kind !== 'expired') return kind;
  return isConfirmed ? 'crashed' : 'undelivered';
}

function retry(outcome: Next['outcome'], failures: number): Next {
  return { outcome, state: 'scheduled', reason: null, pauseMs: longestPauseMs(failures), isRandom: true };
}
