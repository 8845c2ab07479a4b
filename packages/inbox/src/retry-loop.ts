import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { createLoop, createSteadiness, backOffMs, startHeartbeat, type Loop, type Progress } from '@taskwire/lifecycle';
import type { Database, Tx } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { Handlers, NamedHandler } from './handler.ts';
import type { InboxLimits } from './limits.ts';
import { checkMessage, readEvent, schemaVersionOf } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import { failureOf, type Outcome } from './outcome.ts';
import type { SurviveOutage } from './outage.ts';
import { claimDue, claimSuspect, giveUp, renew, retryLater, settle, type Claim } from './retries.ts';
import type { HandlerRunner } from './run-handler.ts';
import type { SenderRules } from './sender.ts';

export type RetryLoopOptions = {
  db: Database;
  handlers: Handlers;
  senders: SenderRules;
  /** A dedicated runner, so that claimed messages run at once: in a shared queue their leases would expire. */
  runner: HandlerRunner;
  survive: SurviveOutage;
  limits: InboxLimits;
  /** Nothing is claimed, and no attempt is used up, while this returns false. */
  claimWhile: () => boolean;
  metrics: InboxMetrics;
  logger: Logger;
};

const pollMs = 1_000;
/** A round waits no longer than this for handlers: other messages may have come due and can use the free slots. */
const roundMs = 1_000;

/**
 * Attempts recorded messages when they are due. Any number of processes may run it; each message is leased to one of them at a time. `tick` and
 * `stop` wait for running handlers.
 */
export function createRetryLoop(options: RetryLoopOptions): Loop {
  const { db, handlers, runner, survive, limits, metrics, logger } = options;
  const claiming = { handlers: handlers.names, leaseMs: limits.leaseMs };
  const running = new Map<Promise<void>, Claim>();
  const steadiness = createSteadiness(limits.leaseMs);
  const tick = async (signal: AbortSignal): Promise<Progress> =>
    await steadiness.during(async () => await round(signal));

  async function round(signal: AbortSignal): Promise<Progress> {
    const room = limits.concurrency - running.size;
    if (room < 1 || !options.claimWhile()) return 'idle';
    const claims = await claimDue(db, room, claiming);
    for (const claimed of claims) start(claimed, signal);
    if (claims.length > 0) await settled(roundMs);
    const progress = claims.length > 0 ? 'more' : 'idle';
    // a suspect runs alone; while other handlers are running, it waits for the next round
    if (running.size > 0 || signal.aborted || !steadiness.isSteady()) return progress;
    const suspect = await claimSuspect(db, claiming);
    if (suspect === undefined) return progress;
    start(suspect, signal);
    await settled();
    return 'more';
  }

  function start(claimed: Claim, signal: AbortSignal): void {
    const attempting = attempt(claimed, signal)
      .catch((error: unknown) =>
        logger.warn('what became of a message could not be recorded; it is tried again when its lease has run out', {
          message_id: claimed.message.id,
          handler: claimed.handler,
          error: errorText(error),
        }),
      )
      .then(() => void running.delete(attempting));
    running.set(attempting, claimed);
  }

  /** Resolves when no handler is running, or after this many milliseconds. */
  async function settled(withinMs?: number): Promise<void> {
    const all = Promise.all(running.keys());
    if (withinMs === undefined) return void (await all);
    const ended = new AbortController();
    await Promise.race([all, delay(withinMs, undefined, { signal: ended.signal }).catch(() => undefined)]);
    ended.abort();
  }

  async function attempt(claimed: Claim, signal: AbortSignal): Promise<void> {
    const handler = handlers.named(claimed.handler);
    const fail = async (reason: string, error: string): Promise<void> =>
      await bury(claimed, handler, { reason, error }, signal);
    if (handler === undefined) return await fail('unknown_type', `no handler is named ${claimed.handler}`);
    if (claimed.crashes >= limits.maxCrashes)
      return await fail('crashed', `${claimed.crashes} processes died or hung over this message`);
    // a message from the dead queue was recorded without being read
    const { message } = claimed;
    const checks = { schemaVersion: schemaVersionOf(message), handlerCount: 1, senders: options.senders };
    const read = checkMessage(message, checks) ?? readEvent(message, handler);
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
      // the lease expired: another process has the message, or a commit took effect whose response was lost
      if (!(await settle(tx, claimed))) return false;
      if (effect !== undefined) await inContext(() => effect(tx));
      return true;
    };
    try {
      return (await survive.run(() => db.transaction(settleAndTakeEffect), signal)) ? { kind: 'done' } : 'lost';
    } catch (error) {
      if (signal.aborted) throw error;
      return failureOf(error);
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
    const waitMs = Math.max(backOffMs(tries, limits.backOff), outcome.afterMs ?? 0);
    await survive.run(() => retryLater(db, claimed, { error, waitMs, uncounted }), signal);
  }

  async function bury(
    claimed: Claim,
    handler: NamedHandler | undefined,
    { reason, error }: { reason: string; error: string },
    signal: AbortSignal,
  ): Promise<void> {
    const holdsBack = handler?.order === 'through_dead_letters' && claimed.orderKey !== undefined;
    await survive.run(() => giveUp(db, claimed, { reason, error, holdsBack }), signal);
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

  const loop = createLoop({ name: 'inbox retries', tick, intervalMs: pollMs, logger });
  const heartbeat = startHeartbeat({
    name: 'inbox retries',
    everyMs: limits.leaseMs / 4,
    renew: async () => await renew(db, [...running.values()], limits.leaseMs),
    logger,
  });
  return {
    ...loop,
    async tick() {
      const progress = await loop.tick();
      await settled();
      return progress;
    },
    async stop() {
      await loop.stop();
      await settled();
      heartbeat.stop();
    },
  };
}
