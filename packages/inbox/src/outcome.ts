import { errorText } from '@taskwire/errors';
import { outageOf, type Tx } from '@taskwire/postgres';
import { storable } from './message.ts';

/** What became of a message. */
export type Outcome =
  | { kind: 'done'; effect?: (tx: Tx) => Promise<void> }
  | { kind: 'retry'; reason: string; afterMs?: number; uncounted?: true }
  | { kind: 'dead'; reason: string };

/**
 * Handled. `effect` runs in the transaction that remembers the message, so it takes place exactly once; it may run more than once (after a
 * deadlock, or when a transaction that it shared failed), each time from the start of a new transaction. No network call belongs in it.
 */
export function done(effect?: (tx: Tx) => Promise<void>): Outcome {
  return effect === undefined ? { kind: 'done' } : { kind: 'done', effect };
}

/** A wrong number must not park a message, and with it the rest of its key, for longer than the inbox' own back-off does. */
const longestAfterMs = 600_000;

/** Not now: tried again after the inbox' back-off, or after `afterMs` (a `Retry-After`, ten minutes at most) if that is longer. */
export function retry(reason: string, afterMs?: number): Outcome {
  if (afterMs === undefined) return { kind: 'retry', reason };
  return { kind: 'retry', reason, afterMs: Math.min(afterMs, longestAfterMs) };
}

/**
 * Not now, because what the handler needs is away, which is not this message's fault: tried again as with `retry`, but without using up an
 * attempt. A message for which that goes on for too long (`InboxLimits.maxUnavailableMs`) becomes a dead letter, for a replay.
 */
export function unavailable(reason: string, afterMs?: number): Outcome {
  return { ...retry(reason, afterMs), kind: 'retry', reason, uncounted: true };
}

/** What an error means: an outage of the database is not the message's fault, and uses up no attempt; anything else does. */
export function failureOf(error: unknown): Outcome {
  const reason = storable(errorText(error));
  return outageOf(error) === undefined ? retry(reason) : unavailable(reason);
}

/** Never: becomes a dead letter. */
export function dead(reason: string): Outcome {
  return { kind: 'dead', reason };
}
