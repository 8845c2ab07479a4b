import type { Logger } from '@taskwire/telemetry';
import type { Failure } from './dead-letter.ts';
import { decide, type Attempts, type DeadLetterReason, type RetryDecision } from './decide.ts';
import type { NamedHandler } from './handler.ts';
import { describeJob, type Job } from './job.ts';
import type { InboxLimits } from './limits.ts';
import { happenedAt } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import { failureOf, type Effect, type Outcome } from './outcome.ts';
import type { HandlerRunner } from './run-handler.ts';

/**
 * The origin of a job, where the decision about the job is stored: the queue (message-receiver.ts) or a row of inbox_pending (pending-worker.ts).
 * Each operation resolves when its result is stored. It waits while the database is unavailable.
 */
export type JobSource = {
  job: Job;
  attempts: Attempts;
  /**
   * Commits the effect together with the completion.
   * @returns `taken_over` if nothing was committed because the message has been recorded elsewhere in the meantime: by another process, or behind an earlier message.
   */
  complete(effect: Effect | undefined): Promise<'completed' | 'taken_over'>;
  retry(decision: RetryDecision): Promise<void>;
  deadLetter(failure: Failure): Promise<void>;
};

export type Refusal = { reason: DeadLetterReason; error: string };

export type AttemptRunner = {
  /** Runs the handler, and stores the decision about its result. */
  attempt(source: JobSource, handler: NamedHandler, event: unknown, signal: AbortSignal): Promise<void>;
  /** Dead-letters a message that cannot be handled, without an attempt. */
  refuse(source: JobSource, refusal: Refusal): Promise<void>;
};

/** Creates the one path from a handler's result to its storage, for new messages and for retries. */
export function createAttemptRunner(options: {
  runner: HandlerRunner;
  limits: InboxLimits;
  metrics: InboxMetrics;
  logger: Logger;
}): AttemptRunner {
  const { runner, limits, metrics, logger } = options;

  /** `signal`: if it is aborted, an effect whose commit failed is not retried; the error is rethrown. */
  async function store(source: JobSource, outcome: Outcome, signal: AbortSignal): Promise<void> {
    const { job, attempts } = source;
    const decision = decide(outcome, attempts, limits);
    switch (decision.kind) {
      case 'complete': {
        const completed = await completeOrFail(source, decision.effect, signal);
        if (typeof completed === 'object') return await store(source, completed, signal);
        if (completed === 'completed') countDone(job);
        return;
      }
      case 'retry':
        await source.retry(decision);
        metrics.messages.inc({ handler: job.handler, outcome: 'retry' });
        // later retries of the same message are listed by `npm run taskwire -- dead-letters waiting`
        if (attempts.counted + attempts.free === 1)
          logger.warn('message will be retried', { ...describeJob(job), reason: decision.error });
        return;
      case 'dead_letter':
        return await deadLetter(source, decision);
    }
  }

  /** A failed effect is a failed attempt. */
  async function completeOrFail(
    source: JobSource,
    effect: Effect | undefined,
    signal: AbortSignal,
  ): Promise<'completed' | 'taken_over' | Outcome> {
    try {
      return await source.complete(effect);
    } catch (error) {
      if (signal.aborted) throw error;
      return failureOf(error);
    }
  }

  async function deadLetter(source: JobSource, { reason, error }: Refusal): Promise<void> {
    const { counted, free } = source.attempts;
    await source.deadLetter({ reason, error, attempts: counted, freeAttempts: free });
  }

  function countDone(job: Job): void {
    const { handler, message } = job;
    metrics.messages.inc({ handler, outcome: 'done' });
    logger.info('message handled', describeJob(job));
    const since = happenedAt(message);
    if (since !== undefined) metrics.lag.observe({ handler }, Math.max(0, Date.now() - since) / 1_000);
  }

  return {
    async attempt(source, handler, event, signal) {
      const stopTimer = metrics.duration.startTimer({ handler: handler.name });
      const { outcome, inContext } = await runner.run(handler, source.job.message, event, source.attempts.counted);
      stopTimer();
      await store(source, withEffectInContext(outcome, inContext), signal);
    },
    refuse: deadLetter,
  };
}

/** The effect runs in the trace and log context of its handler. */
function withEffectInContext(outcome: Outcome, inContext: <T>(fn: () => T) => T): Outcome {
  if (outcome.kind !== 'done' || outcome.effect === undefined) return outcome;
  const { effect } = outcome;
  return { kind: 'done', effect: async (tx) => await inContext(() => effect(tx)) };
}
