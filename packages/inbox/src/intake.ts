import { backOffMs } from '@taskwire/lifecycle';
import type { Database, Tx } from '@taskwire/postgres';
import type { Delivery } from '@taskwire/rabbit';
import type { Logger } from '@taskwire/telemetry';
import { createBatches } from './batches.ts';
import { createCommitter } from './commit.ts';
import type { Handlers, NamedHandler } from './handler.ts';
import { createKeyChains } from './key-chains.ts';
import type { InboxLimits } from './limits.ts';
import { checkMessage, orderKey, readEvent, toMessage, type Invalid, type Message } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import { failureOf, type Outcome } from './outcome.ts';
import type { SurviveOutage } from './outage.ts';
import type { Decision, HandlerRunner } from './run-handler.ts';
import type { SenderRules } from './sender.ts';
import { admitJobs, errorHistory, recordDead, recordRetry, untried, type Admission, type Job } from './store.ts';

export type IntakeOptions = {
  db: Database;
  handlers: Handlers;
  /** Whether a type without a matching handler is acknowledged without a trace. */
  ignores: (type: string) => boolean;
  senders: SenderRules;
  runner: HandlerRunner;
  survive: SurviveOutage;
  limits: InboxLimits;
  metrics: InboxMetrics;
  logger: Logger;
  /** Called after a message was recorded that can be attempted at once. */
  onRecorded: () => void;
};

/** The number of messages looked up per statement; of the same order as the prefetch. */
const maxAdmitted = 200;

/**
 * Processes messages from the queue. The returned function resolves when the message can be acknowledged, which is when its effect is committed or
 * its failure is recorded. For each handler and key, one message runs at a time, in queue order.
 */
export function createIntake(options: IntakeOptions): (delivery: Delivery) => Promise<void> {
  const { db, handlers, runner, survive, limits, metrics, logger } = options;
  const chains = createKeyChains();
  const admit = createBatches<Job, Admission>({ maxItems: maxAdmitted, run: (jobs) => admitJobs(db.pool, jobs) });
  const commit = createCommitter(db);

  function count(handler: string, outcome: string): void {
    metrics.messages.inc({ handler, outcome });
  }

  async function settle(handler: NamedHandler, message: Message, signal: AbortSignal): Promise<void> {
    const job: Job = { message, handler: handler.name, orderKey: orderKey(message, handler) };
    const { seen, blocked } = await survive.persist(() => admit(job), signal);
    if (seen) return count(handler.name, 'duplicate');
    const read = readEvent(message, handler);
    if ('reason' in read) return await bury(job, handler, read, signal);
    if (blocked) return await wait(job, 'waiting', signal);

    const stopTimer = metrics.duration.startTimer({ handler: handler.name });
    const { outcome, inContext } = await runner.run(handler, message, read.event, 1);
    stopTimer();
    await conclude(job, handler, await afterCommit(job, { outcome, inContext }, signal), signal);
  }

  /** Commits a handled message. A failing effect becomes a retry; a message that may not run yet is recorded as waiting. */
  async function afterCommit(
    job: Job,
    { outcome, inContext }: Decision,
    signal: AbortSignal,
  ): Promise<Outcome | 'committed' | 'refused'> {
    if (outcome.kind !== 'done') return outcome;
    const { effect } = outcome;
    try {
      return await survive.run(
        () => commit(job, effect === undefined ? undefined : (tx) => inContext(() => effect(tx))),
        signal,
      );
    } catch (error) {
      if (signal.aborted) throw error;
      return failureOf(error);
    }
  }

  async function conclude(
    job: Job,
    handler: NamedHandler,
    outcome: Outcome | 'committed' | 'refused',
    signal: AbortSignal,
  ): Promise<void> {
    if (outcome === 'committed') return done(job);
    // another process took the message over, or recorded an earlier one of its key that now blocks it; the record shows which
    if (outcome === 'refused') return await wait(job, 'waiting', signal);
    switch (outcome.kind) {
      case 'done':
        return done(job);
      case 'retry':
        return await retryLater(job, outcome, signal);
      case 'dead':
        return await bury(job, handler, { reason: 'refused', error: outcome.reason }, signal);
    }
  }

  function done({ handler, message }: Job): void {
    count(handler, 'done');
    if (message.sentAt !== undefined) metrics.lag.observe({ handler }, Math.max(0, Date.now() / 1000 - message.sentAt));
  }

  /** Records the message without handling it. It runs after earlier messages with the same key, or at once if they have completed. */
  async function wait(job: Job, outcome: 'waiting' | 'suspect', signal: AbortSignal): Promise<void> {
    const record = async (tx: Tx): Promise<boolean> => {
      tx.afterCommit(options.onRecorded);
      return await recordRetry(tx, job, untried);
    };
    const recorded = await survive.persist(() => db.transaction(record), signal);
    count(job.handler, recorded ? outcome : 'duplicate');
  }

  async function retryLater(job: Job, outcome: Outcome & { kind: 'retry' }, signal: AbortSignal): Promise<void> {
    const waitMs = Math.max(backOffMs(1, limits.backOff), outcome.afterMs ?? 0);
    const uncounted = outcome.uncounted === true ? 1 : 0;
    const errors = errorHistory(1, outcome.reason);
    const failure = { attempts: 1 - uncounted, uncounted, waitMs, lastError: outcome.reason, errors };
    await survive.persist(() => db.transaction((tx) => recordRetry(tx, job, failure)), signal);
    count(job.handler, 'retry');
    logger.warn('a message will be tried again', { ...describe(job), reason: outcome.reason });
  }

  async function bury(
    job: Omit<Job, 'handler'> & { handler: string | undefined },
    handler: NamedHandler | undefined,
    { reason, error }: { reason: Invalid['reason'] | 'refused'; error: string },
    signal: AbortSignal,
  ): Promise<void> {
    const holdsBack = handler?.order === 'through_dead_letters' && job.orderKey !== undefined;
    const death = { attempts: 1, error, reason, holdsBack };
    await survive.persist(() => recordDead(db, job, death), signal);
    count(job.handler ?? 'none', 'dead');
    logger.error('a message is a dead letter', { ...describe(job), reason, error });
  }

  return async (delivery) => {
    const { signal, headersFault } = delivery;
    const message = toMessage(delivery);
    const wanted = handlers.of(message.type);
    if (wanted.length === 0 && options.ignores(message.type)) return count('none', 'ignored');
    const schemaVersion = delivery.headers['schema_version'];
    const { senders } = options;
    const invalid = checkMessage(message, { schemaVersion, handlerCount: wanted.length, senders, headersFault });
    if (invalid !== undefined)
      return await bury({ message, handler: undefined, orderKey: undefined }, undefined, invalid, signal);
    const suspect = delivery.deliveryCount >= limits.suspectAfterDeliveries;
    await Promise.all(
      wanted.map((handler) => {
        const key = orderKey(message, handler);
        const job: Job = { message, handler: handler.name, orderKey: key };
        const run = (): Promise<void> =>
          // after repeated deliveries this message may be what kills the process, so it is recorded before it is attempted
          suspect ? wait(job, 'suspect', signal) : settle(handler, message, signal);
        return key === undefined ? run() : chains.after(`${handler.name} ${key}`, run, signal);
      }),
    );
  };
}

function describe({ message, handler }: { message: Message; handler: string | undefined }): Record<string, unknown> {
  return { message_id: message.id, event: message.type, handler, aggregate_id: message.aggregateId };
}
