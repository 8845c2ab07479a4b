import { errorText } from '@taskwire/errors';
import { createLoop, fullJitter, type Loop, type Progress } from '@taskwire/lifecycle';
import type { Database, Tx } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { Handlers, NamedHandler } from './handler.ts';
import type { InboxLimits } from './limits.ts';
import { checkMessage, readEvent, schemaVersionOf, storable } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import { retry, type Outcome } from './outcome.ts';
import type { SurviveOutage } from './outage.ts';
import { claimDue, claimSuspect, giveUp, retryLater, settle, type Claim } from './retries.ts';
import type { HandlerRunner } from './run-handler.ts';

export type RetryLoopOptions = {
  db: Database;
  handlers: Handlers;
  /** Its own, so that what is claimed runs at once: its lease would run out in the queue of another's. */
  runner: HandlerRunner;
  survive: SurviveOutage;
  limits: InboxLimits;
  /** Nothing is claimed, and no attempt used up, while it says no. */
  claimWhile: () => boolean;
  metrics: InboxMetrics;
  logger: Logger;
};

const pollMs = 1_000;

/** Tries recorded messages when their time has come. Any number of processes may run it; each message is with one of them at a time. */
export function createRetryLoop(options: RetryLoopOptions): Loop {
  const { db, handlers, runner, survive, limits, metrics, logger } = options;
  const claiming = { handlers: handlers.names, leaseMs: limits.leaseMs };

  async function tick(signal: AbortSignal): Promise<Progress> {
    if (!options.claimWhile()) return 'idle';
    const claims = await claimDue(db, limits.concurrency, claiming);
    const attempts = await Promise.allSettled(claims.map((claimed) => attempt(claimed, signal)));
    // what could not be recorded is a fault of the round; the others were not to suffer from it
    for (const settled of attempts) if (settled.status === 'rejected') throw settled.reason;
    const suspect = signal.aborted ? undefined : await claimSuspect(db, claiming);
    if (suspect !== undefined) await attempt(suspect, signal);
    return claims.length > 0 || suspect !== undefined ? 'more' : 'idle';
  }

  async function attempt(claimed: Claim, signal: AbortSignal): Promise<void> {
    const handler = handlers.named(claimed.handler);
    const fail = async (reason: string, error: string): Promise<void> =>
      await bury(claimed, handler, { reason, error }, signal);
    if (handler === undefined) return await fail('unknown_type', `no handler is named ${claimed.handler}`);
    if (claimed.crashes >= limits.maxCrashes)
      return await fail('crashed', `${claimed.crashes} processes died or hung over this message`);
    // one that its queue gave up on was recorded unread
    const { message } = claimed;
    const read = checkMessage(message, schemaVersionOf(message), 1) ?? readEvent(message, handler);
    if ('reason' in read) return await fail(read.reason, read.error);

    const stopTimer = metrics.duration.startTimer({ handler: handler.name });
    const { outcome, inContext } = await runner.run(handler, message, read.event, claimed.attempts);
    stopTimer();
    const concluded = outcome.kind === 'done' ? await commit(claimed, outcome, inContext, signal) : outcome;
    await conclude(claimed, handler, concluded, signal);
  }

  async function commit(
    claimed: Claim,
    { effect }: Outcome & { kind: 'done' },
    inContext: <T>(fn: () => T) => T,
    signal: AbortSignal,
  ): Promise<Outcome | 'lost'> {
    const settleAndTakeEffect = async (tx: Tx): Promise<boolean> => {
      // the lease had run out: another process has the message, or a commit took place whose answer was lost
      if (!(await settle(tx, claimed))) return false;
      if (effect !== undefined) await inContext(() => effect(tx));
      return true;
    };
    try {
      return (await survive(() => db.transaction(settleAndTakeEffect), signal)) ? { kind: 'done' } : 'lost';
    } catch (error) {
      if (signal.aborted) throw error;
      return retry(storable(errorText(error)));
    }
  }

  async function conclude(
    claimed: Claim,
    handler: NamedHandler,
    outcome: Outcome | 'lost',
    signal: AbortSignal,
  ): Promise<void> {
    if (outcome === 'lost') return;
    if (outcome.kind === 'done') {
      metrics.messages.inc({ handler: handler.name, outcome: 'done' });
      const { sentAt } = claimed.message;
      if (sentAt !== undefined) metrics.lag.observe({ handler: handler.name }, Math.max(0, Date.now() / 1000 - sentAt));
      return;
    }
    const error = outcome.reason;
    if (outcome.kind === 'dead') return await bury(claimed, handler, { reason: 'refused', error }, signal);
    const uncounted = outcome.uncounted === true;
    if (uncounted && claimed.triedForMs >= limits.maxUnavailableMs)
      return await bury(claimed, handler, { reason: 'unavailable', error }, signal);
    if (!uncounted && claimed.attempts >= limits.maxAttempts)
      return await bury(claimed, handler, { reason: 'attempts_exhausted', error }, signal);
    metrics.messages.inc({ handler: handler.name, outcome: 'retry' });
    const tries = claimed.attempts + claimed.uncounted;
    const waitMs = Math.max(fullJitter(tries, limits.backOff), outcome.afterMs ?? 0);
    await survive(() => retryLater(db, claimed, { error, waitMs, uncounted }), signal);
  }

  async function bury(
    claimed: Claim,
    handler: NamedHandler | undefined,
    { reason, error }: { reason: string; error: string },
    signal: AbortSignal,
  ): Promise<void> {
    const holdsBack = handler?.order === 'through_dead_letters' && claimed.orderKey !== undefined;
    await survive(() => giveUp(db, claimed, { reason, error, holdsBack }), signal);
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
