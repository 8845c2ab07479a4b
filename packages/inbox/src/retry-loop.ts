import { errorText } from '@taskwire/errors';
import { createLoop, fullJitter, type Loop, type Progress } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { Handlers, NamedHandler } from './handler.ts';
import type { InboxLimits } from './limits.ts';
import { checkMessage, readEvent, schemaVersionOf, storable } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import { retry, type Outcome } from './outcome.ts';
import { claimDue, claimSuspect, giveUp, retryLater, settle, type Claim } from './retries.ts';
import type { HandlerRunner } from './run-handler.ts';

export type RetryLoopOptions = {
  db: Database;
  handlers: Handlers;
  runner: HandlerRunner;
  limits: InboxLimits;
  /** Nothing is claimed, and no attempt used up, while it says no. */
  claimWhile: () => boolean;
  metrics: InboxMetrics;
  logger: Logger;
};

const pollMs = 1_000;

/** The lease had run out, and another process has the message now: what was done here must not count. */
class LeaseLost extends Error {}

/** Tries recorded messages when their time has come. Any number of processes may run it; each message is with one of them at a time. */
export function createRetryLoop(options: RetryLoopOptions): Loop {
  const { db, handlers, runner, limits, metrics, logger } = options;

  async function tick(signal: AbortSignal): Promise<Progress> {
    if (!options.claimWhile()) return 'idle';
    const claims = await claimDue(db, limits.concurrency, limits.leaseMs);
    await Promise.all(claims.map(attempt));
    const suspect = signal.aborted ? undefined : await claimSuspect(db, limits.leaseMs);
    if (suspect !== undefined) await attempt(suspect);
    return claims.length > 0 || suspect !== undefined ? 'more' : 'idle';
  }

  async function attempt(claimed: Claim): Promise<void> {
    const handler = handlers.named(claimed.handler);
    if (handler === undefined)
      return await bury(claimed, undefined, 'unknown_type', `no handler is named ${claimed.handler}`);
    if (claimed.crashes >= limits.maxCrashes)
      return await bury(claimed, handler, 'crashed', `${claimed.crashes} processes died or hung over this message`);
    // one that its queue gave up on was recorded unread
    const { message } = claimed;
    const read = checkMessage(message, schemaVersionOf(message), 1) ?? readEvent(message, handler);
    if ('reason' in read) return await bury(claimed, handler, read.reason, read.error);

    const stopTimer = metrics.duration.startTimer({ handler: handler.name });
    const { outcome, inContext } = await runner.run(handler, message, read.event, claimed.attempts);
    stopTimer();
    const concluded = outcome.kind === 'done' ? await commit(claimed, outcome, inContext) : outcome;
    await conclude(claimed, handler, concluded);
  }

  async function commit(
    claimed: Claim,
    { effect }: Outcome & { kind: 'done' },
    inContext: <T>(fn: () => T) => T,
  ): Promise<Outcome | 'lost'> {
    try {
      await db.transaction(async (tx) => {
        if (!(await settle(tx, claimed))) throw new LeaseLost();
        if (effect !== undefined) await inContext(() => effect(tx));
      });
      return { kind: 'done' };
    } catch (error) {
      if (error instanceof LeaseLost) return 'lost';
      return retry(storable(errorText(error)));
    }
  }

  async function conclude(claimed: Claim, handler: NamedHandler, outcome: Outcome | 'lost'): Promise<void> {
    if (outcome === 'lost') return;
    if (outcome.kind === 'done') {
      metrics.messages.inc({ handler: handler.name, outcome: 'done' });
      const { sentAt } = claimed.message;
      if (sentAt !== undefined) metrics.lag.observe({ handler: handler.name }, Math.max(0, Date.now() / 1000 - sentAt));
      return;
    }
    if (outcome.kind === 'dead') return await bury(claimed, handler, 'refused', outcome.reason);
    const uncounted = outcome.uncounted === true;
    if (uncounted && claimed.triedForMs >= limits.maxUnavailableMs)
      return await bury(claimed, handler, 'unavailable', outcome.reason);
    if (!uncounted && claimed.attempts >= limits.maxAttempts)
      return await bury(claimed, handler, 'attempts_exhausted', outcome.reason);
    metrics.messages.inc({ handler: handler.name, outcome: 'retry' });
    const tries = claimed.attempts + claimed.uncounted;
    const waitMs = Math.max(fullJitter(tries, limits.backOff), outcome.afterMs ?? 0);
    await retryLater(db, claimed, { error: outcome.reason, waitMs, uncounted });
  }

  async function bury(claimed: Claim, handler: NamedHandler | undefined, reason: string, error: string): Promise<void> {
    const holdsBack = handler?.order === 'through_dead_letters' && claimed.orderKey !== undefined;
    await giveUp(db, claimed, { reason, error, holdsBack });
    metrics.messages.inc({ handler: claimed.handler, outcome: 'dead' });
    const { id, type, aggregateId } = claimed.message;
    logger.error('a message is a dead letter', {
      message_id: id,
      event: type,
      handler: claimed.handler,
      aggregate_id: aggregateId,
      attempts: claimed.attempts,
      reason,
      error,
    });
  }

  return createLoop({ name: 'inbox retries', tick, intervalMs: pollMs, logger });
}
