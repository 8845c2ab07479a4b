import type { Component, Progress } from '@taskwire/lifecycle';
import { query, type Database, type MigrationSource } from '@taskwire/postgres';
import type { Consumer, Rabbit } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { createAttemptRunner } from './attempts.ts';
import { createDatabaseOutage } from './database-outage.ts';
import { createDeadLetterWriter } from './dead-letter.ts';
import { createDeadLetterQueueConsumer } from './dead-letter-queue-consumer.ts';
import { createGauges } from './gauges.ts';
import { indexHandlers, type Handler } from './handler.ts';
import { inboxLimits, type InboxLimits } from './limits.ts';
import { createMessageReceiver } from './message-receiver.ts';
import { inboxMetrics } from './metrics.ts';
import { createPendingWorker } from './pending-worker.ts';
import { createInboxRetention } from './retention.ts';
import { createHandlerRunner } from './run-handler.ts';
import { createReplayRouting } from './replay-routing.ts';
import { defaultSenderRules, type SenderRules } from './sender.ts';
import { typeMatcher } from './type-pattern.ts';

export const inboxMigrations: MigrationSource = {
  name: 'inbox',
  directory: new URL('../migrations/', import.meta.url),
};

export type Inbox = Component & {
  /** Runs one round of all due retries, including replayed messages. For tests. */
  tick(): Promise<Progress>;
};

export type InboxOptions = {
  db: Database;
  rabbit: Rabbit;
  /** `<service>.events`. Messages that the queue dead-letters are read from `<queue>.dead`. */
  queue: string;
  /** The queues that are consumed instead of `queue`, if it is divided into partitions. They share the dead-letter queue of `queue`. */
  queues?: readonly string[];
  /**
   * Called before consuming starts. While it rejects, no message is consumed; consuming ends when the returned signal is aborted. Default: always
   * permitted.
   */
  permission?: () => Promise<AbortSignal>;
  handlers: readonly Handler[];
  /**
   * Types, or type patterns, to which the queue is bound but which this service does not handle. If no handler matches such a message, it is
   * acknowledged without a row or a dead letter. Any other message without a handler becomes a dead letter.
   */
  ignore?: readonly string[];
  /** The senders whose events are trusted. Default: logins named like the service, and messages that have passed the broker's topic permissions. */
  senders?: SenderRules;
  telemetry: Telemetry;
  /** Checked before recorded messages are claimed. Return false while a dependency of the handlers is known to be unavailable (an open breaker). */
  claimWhile?: () => boolean;
  limits?: Partial<InboxLimits>;
};

/**
 * Consumes messages from a queue and completes each one once for each of its handlers. The effect and the row that remembers the message commit
 * together, and only then is the message acknowledged. Failed messages are recorded and retried; permanent failures become dead letters.
 */
export function createInbox(options: InboxOptions): Inbox {
  const { db, rabbit, queue, queues = [queue], permission, telemetry } = options;
  const { logger } = telemetry;
  const limits = { ...inboxLimits, ...options.limits };
  const metrics = inboxMetrics(telemetry.metrics);
  const handlers = indexHandlers(options.handlers);
  // the series exist before the first event, because the rate of a series that appears with an event would miss that event
  for (const handler of handlers.names) metrics.lag.zero({ handler });
  const stopping = new AbortController();
  const handling = { concurrency: limits.concurrency, timeoutMs: limits.handleTimeoutMs };
  const runner = createHandlerRunner(handling);
  const retryRunner = createHandlerRunner(handling);
  const outage = createDatabaseOutage({ db, logger, stopping: stopping.signal });
  const deadLetter = createDeadLetterWriter({ metrics, telemetry });
  const ignores = typeMatcher(options.ignore ?? []);
  const senders = options.senders ?? defaultSenderRules;
  const worker = createPendingWorker({
    db,
    handlers,
    senders,
    attempts: createAttemptRunner({ runner: retryRunner, limits, metrics, logger }),
    deadLetter,
    outage,
    limits,
    claimWhile: options.claimWhile ?? (() => true),
    logger,
  });
  const onRecorded = (): void => worker.wake();
  const routing = createReplayRouting({ db, handlers, ignores, senders, deadLetter, logger, onRecorded });
  const loops = [
    worker,
    routing,
    createInboxRetention({ db, periods: limits, telemetry }),
    createGauges({ db, metrics, logger }),
  ];
  const receive = createMessageReceiver({
    db,
    handlers,
    ignores,
    senders,
    attempts: createAttemptRunner({ runner, limits, metrics, logger }),
    deadLetter,
    outage,
    limits,
    metrics,
    onRecorded,
  });
  const receiveDead = createDeadLetterQueueConsumer({ db, handlers, ignores, deadLetter, outage, metrics });
  // a database without the inbox's tables is as unready as an unavailable one
  const ready = async (): Promise<AbortSignal | undefined> => {
    await query(db.pool, 'SELECT lease_expires_at FROM inbox_pending LIMIT 0');
    return await permission?.();
  };
  let consumers: Consumer[] = [];

  return {
    name: 'inbox',
    async tick() {
      const routed = await routing.tick();
      const attempted = await worker.tick();
      return routed === 'more' ? routed : attempted;
    },
    async start() {
      await Promise.all(loops.map((loop) => loop.start()));
      const { prefetch } = limits;
      consumers = [
        ...queues.map((name) => rabbit.consume({ queue: name, prefetch, ready, onMessage: receive })),
        rabbit.consume({ queue: `${queue}.dead`, prefetch, ready, onMessage: receiveDead }),
      ];
    },
    async stop() {
      // slow handlers are aborted after half of the time for which the consumer waits for them
      const abortHandlers = setTimeout(() => {
        for (const each of [runner, retryRunner]) each.stop(new Error('the process is stopping'));
      }, 2_500);
      await Promise.all([...consumers.map((consumer) => consumer.stop()), ...loops.map((loop) => loop.stop())]);
      clearTimeout(abortHandlers);
      stopping.abort(new Error('the inbox stopped'));
      consumers = [];
    },
  };
}
