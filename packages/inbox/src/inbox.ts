import type { Component, Progress } from '@taskwire/lifecycle';
import { query, type Database, type MigrationSource } from '@taskwire/postgres';
import type { Consumer, Rabbit } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { createDeadIntake } from './dead-intake.ts';
import { indexHandlers, type Handler } from './handler.ts';
import { createIntake } from './intake.ts';
import { inboxLimits, type InboxLimits } from './limits.ts';
import { inboxMetrics } from './metrics.ts';
import { createSurviveOutage } from './outage.ts';
import { createRetention } from './retention.ts';
import { createRetryLoop } from './retry-loop.ts';
import { createHandlerRunner } from './run-handler.ts';
import { createFigures } from './figures.ts';
import { createReplayRouting } from './replay-routing.ts';
import { defaultSenderRules, type SenderRules } from './sender.ts';
import { typeMatcher } from './type-pattern.ts';

export const inboxMigrations: MigrationSource = {
  name: 'inbox',
  directory: new URL('../migrations/', import.meta.url),
};

export type Inbox = Component & {
  /** Runs one round of every retry that is due, replayed messages included. For tests. */
  tick(): Promise<Progress>;
};

export type InboxOptions = {
  db: Database;
  rabbit: Rabbit;
  /** `<service>.events`. Messages that the queue dead-letters are read from `<queue>.dead`. */
  queue: string;
  handlers: readonly Handler[];
  /**
   * Types, or type patterns, that the queue is bound to but this service does not handle. If no handler matches such a message, it is acknowledged
   * without a row or a dead letter. Any other message without a handler becomes a dead letter.
   */
  ignore?: readonly string[];
  /** The senders whose events are trusted. Default: logins named like the service, and messages that the broker's topic permissions vouch for. */
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
  const { db, rabbit, queue, telemetry } = options;
  const { logger } = telemetry;
  const limits = { ...inboxLimits, ...options.limits };
  const metrics = inboxMetrics(telemetry.metrics);
  const handlers = indexHandlers(options.handlers);
  const stopping = new AbortController();
  const running = { concurrency: limits.concurrency, timeoutMs: limits.handleTimeoutMs };
  const runner = createHandlerRunner(running);
  const retryRunner = createHandlerRunner(running);
  const survive = createSurviveOutage({ db, logger, stopping: stopping.signal });
  const ignores = typeMatcher(options.ignore ?? []);
  const senders = options.senders ?? defaultSenderRules;
  const claimWhile = options.claimWhile ?? (() => true);
  const retries = createRetryLoop({
    db,
    handlers,
    senders,
    runner: retryRunner,
    survive,
    limits,
    claimWhile,
    metrics,
    logger,
  });
  const onRecorded = (): void => retries.wake();
  const routing = createReplayRouting({ db, handlers, ignores, senders, metrics, logger, onRecorded });
  const loops = [
    retries,
    routing,
    createRetention({ db, retentionMs: limits.retentionMs, metrics, logger }),
    createFigures({ db, metrics, logger }),
  ];
  const intake = createIntake({ db, handlers, ignores, senders, runner, survive, limits, metrics, logger, onRecorded });
  const deadIntake = createDeadIntake({ db, handlers, ignores, survive, metrics, logger });
  // a database without the tables is no more ready than an unavailable one
  const ready = async (): Promise<void> => void (await query(db.pool, 'SELECT uncounted FROM inbox_retries LIMIT 0'));
  let consumers: Consumer[] = [];

  return {
    name: 'inbox',
    async tick() {
      const routed = await routing.tick();
      const tried = await retries.tick();
      return routed === 'more' ? routed : tried;
    },
    async start() {
      await Promise.all(loops.map((loop) => loop.start()));
      consumers = [
        rabbit.consume({ queue, prefetch: limits.prefetch, ready, onMessage: intake }),
        rabbit.consume({ queue: `${queue}.dead`, prefetch: limits.prefetch, ready, onMessage: deadIntake }),
      ];
    },
    async stop() {
      // slow handlers get half of the time that a consumer waits for them
      const impatience = setTimeout(() => {
        for (const each of [runner, retryRunner]) each.stop(new Error('the process stops'));
      }, 2_500);
      await Promise.all([...consumers.map((consumer) => consumer.stop()), ...loops.map((loop) => loop.stop())]);
      clearTimeout(impatience);
      stopping.abort(new Error('the inbox stopped'));
      consumers = [];
    },
  };
}
