import { errorText } from '@taskwire/errors';
import { outageOf, type Tx } from '@taskwire/postgres';
import { storable } from './storable.ts';

/** Writes to the database in the transaction that completes a message. */
export type Effect = (tx: Tx) => Promise<void>;

/** The result of handling a message. `isFree`: the attempt does not count. */
export type Outcome =
  | { kind: 'done'; effect?: Effect }
  | { kind: 'retry'; reason: string; afterMs?: number; isFree?: true }
  | { kind: 'dead'; reason: string };

/**
 * The message is handled. `effect` runs in the transaction that remembers the message, so its writes are committed exactly once. It may run more than
 * once (after a deadlock, or if a transaction that it shared fails), each time in a new transaction. It must not make network calls.
 */
export function done(effect?: Effect): Outcome {
  return effect === undefined ? { kind: 'done' } : { kind: 'done', effect };
}

/** An incorrect `afterMs` must not delay a message, and later messages of the same key, for longer than the inbox's own back-off does. */
const longestAfterMs = 600_000;

/** The message is retried after the inbox's back-off, or after `afterMs` (a `Retry-After`, ten minutes at most) if that is longer. */
export function retry(reason: string, afterMs?: number): Outcome {
  if (afterMs === undefined) return { kind: 'retry', reason };
  return { kind: 'retry', reason, afterMs: Math.min(afterMs, longestAfterMs) };
}

/**
 * The message is retried without counting the attempt, because a dependency of the handler is unavailable and the message is not at fault. A message
 * for which this lasts too long (`InboxLimits.maxUnavailableMs`) becomes a dead letter, to be replayed.
 */
export function unavailable(reason: string, afterMs?: number): Outcome {
  return { ...retry(reason, afterMs), kind: 'retry', reason, isFree: true };
}

/** Classifies an error. A database outage is not caused by the message, so its attempt does not count; the attempt counts for any other error. */
export function failureOf(error: unknown): Outcome {
  const reason = storable(errorText(error));
  return outageOf(error) === undefined ? retry(reason) : unavailable(reason);
}

/** Permanent failure: the message becomes a dead letter. */
export function dead(reason: string): Outcome {
  return { kind: 'dead', reason };
}
