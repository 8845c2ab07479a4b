import { backOffMs } from '@taskwire/lifecycle';
import type { InboxLimits } from './limits.ts';
import type { InvalidReason } from './message.ts';
import type { Effect, Outcome } from './outcome.ts';

/** The attempts at a message, including the one that has just ended. */
export type Attempts = {
  /** Attempts that count. */
  counted: number;
  /** Attempts that do not count, because a dependency was unavailable. Does not yet include the attempt that has just ended. */
  free: number;
  /** Milliseconds since the message arrived or was replayed. */
  pendingForMs: number;
};

/** Why a message became a dead letter. Codes are stable, because operators search by them. */
export type DeadLetterReason = InvalidReason | 'refused' | 'attempts_exhausted' | 'unavailable' | 'crashed';

/** `isFree`: the attempt does not count. */
export type RetryDecision = { kind: 'retry'; waitMs: number; isFree: boolean; error: string };
export type Decision =
  | { kind: 'complete'; effect: Effect | undefined }
  | RetryDecision
  | { kind: 'dead_letter'; reason: DeadLetterReason; error: string };

/**
 * Decides what happens to a message after an attempt. An attempt that found a dependency unavailable is free: such attempts are limited by the age of
 * the message instead of by their number. Tests replace `backOff`.
 */
export function decide(
  result: Outcome,
  attempts: Attempts,
  limits: Pick<InboxLimits, 'maxAttempts' | 'maxUnavailableMs' | 'backOff'>,
  backOff = backOffMs,
): Decision {
  switch (result.kind) {
    case 'done':
      return { kind: 'complete', effect: result.effect };
    case 'dead':
      return { kind: 'dead_letter', reason: 'refused', error: result.reason };
    case 'retry': {
      const error = result.reason;
      const isFree = result.isFree === true;
      if (isFree && attempts.pendingForMs >= limits.maxUnavailableMs)
        return { kind: 'dead_letter', reason: 'unavailable', error };
      if (!isFree && attempts.counted >= limits.maxAttempts)
        return { kind: 'dead_letter', reason: 'attempts_exhausted', error };
      const waitMs = Math.max(backOff(attempts.counted + attempts.free, limits.backOff), result.afterMs ?? 0);
      return { kind: 'retry', waitMs, isFree, error };
    }
  }
}
