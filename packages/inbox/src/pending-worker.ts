import { errorText } from '@taskwire/errors';
import { createSteadiness, createWorkerPool, startHeartbeat, type Loop } from '@taskwire/lifecycle';
import type { Database, Tx } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { AttemptRunner, JobSource } from './attempts.ts';
import {
  claimDueJobs,
  claimSuspect,
  completeClaim,
  deadLetterClaim,
  hasSuspect,
  releaseClaim,
  renewLeases,
  type Claim,
} from './claimed-jobs.ts';
import type { DatabaseOutage } from './database-outage.ts';
import type { DeadLetterWriter } from './dead-letter.ts';
import type { Handlers } from './handler.ts';
import { describeJob, type Job } from './job.ts';
import type { InboxLimits } from './limits.ts';
import { checkMessage, readEvent, schemaVersionOf } from './message.ts';
import type { SenderRules } from './sender.ts';

export type PendingWorkerOptions = {
  db: Database;
  handlers: Handlers;
  senders: SenderRules;
  /**
   * Runs handlers separately from those of new messages, so that claimed messages run at once: in a shared queue, their leases would expire while
   * they wait.
   */
  attempts: AttemptRunner;
  deadLetter: DeadLetterWriter;
  outage: DatabaseOutage;
  limits: InboxLimits;
  /** Nothing is claimed, and no attempt is used up, while this returns false. */
  claimWhile: () => boolean;
  logger: Logger;
};

const pollMs = 1_000;
/** The maximum time for which slots stay empty for a suspect, because other due messages could use the slots. */
const suspectPauseMs = 1_000;

/**
 * Attempts recorded messages when they are due. Any number of processes may run it; each message is leased to one of them at a time. `tick` and
 * `stop` wait for running handlers.
 */
export function createPendingWorker(options: PendingWorkerOptions): Loop {
  const { db, handlers, attempts, deadLetter, outage, limits, logger } = options;
  const claiming = { handlers: handlers.names, leaseMs: limits.leaseMs };
  const steadiness = createSteadiness(limits.leaseMs);
  let suspect: Claim | undefined;
  let isOthersTurn = false;
  let pausedSince: number | undefined;

  const pool = createWorkerPool<Claim>({
    name: 'inbox retries',
    concurrency: limits.concurrency,
    intervalMs: pollMs,
    logger,
    claim: async (places) => await steadiness.during(async () => await claim(places)),
    run: attemptClaimed,
  });
  const heartbeat = startHeartbeat({
    name: 'inbox retries',
    everyMs: limits.leaseMs / 4,
    renew: async () => await renewLeases(db, pool.running(), limits.leaseMs),
    logger,
  });

  /** Claims a suspect on its own; after that, the other messages have a turn. */
  async function claim(places: number): Promise<readonly Claim[]> {
    if (suspect !== undefined || !options.claimWhile()) return [];
    if (isOthersTurn) {
      isOthersTurn = false;
      const due = await claimDueJobs(db, places, claiming);
      if (due.length > 0) return due;
    }
    if (steadiness.isSteady()) {
      if (pool.running().length > 0) {
        if (await mustPause()) return [];
      } else {
        pausedSince = undefined;
        suspect = await claimSuspect(db, claiming);
        isOthersTurn = suspect !== undefined;
        if (suspect !== undefined) return [suspect];
      }
    }
    return await claimDueJobs(db, places, claiming);
  }

  /** Whether to claim nothing until the running handlers have ended, because a suspect is waiting to run alone. */
  async function mustPause(): Promise<boolean> {
    const isOver = pausedSince !== undefined && performance.now() - pausedSince >= suspectPauseMs;
    if (isOver || !(await hasSuspect(db, claiming))) {
      pausedSince = undefined;
      return false;
    }
    pausedSince ??= performance.now();
    return true;
  }

  /** Never rejects: the result of one message says nothing about others. */
  async function attemptClaimed(claimed: Claim, signal: AbortSignal): Promise<void> {
    try {
      await attempt(claimed, signal);
    } catch (error) {
      logger.warn("could not record a message's outcome; will retry when its lease expires", {
        ...describeJob(claimed),
        error: errorText(error),
      });
    } finally {
      if (suspect === claimed) suspect = undefined;
    }
  }

  async function attempt(claimed: Claim, signal: AbortSignal): Promise<void> {
    const handler = handlers.named(claimed.handler);
    const blocksWhenDead = handler?.order === 'through_dead_letters' && claimed.orderKey !== undefined;
    const source = sourceOf({ ...claimed, blocksWhenDead }, signal);
    if (handler === undefined)
      return await attempts.refuse(source, {
        reason: 'unknown_type',
        error: `no handler is named ${claimed.handler}`,
      });
    if (claimed.crashCount >= limits.maxCrashes)
      return await attempts.refuse(source, {
        reason: 'crashed',
        error: `${claimed.crashCount} processes died or hung while handling this message`,
      });
    // a message from the dead-letter queue was recorded without being parsed
    const { message } = claimed;
    const checks = { schemaVersion: schemaVersionOf(message), handlerCount: 1, senders: options.senders };
    const read = checkMessage(message, checks) ?? readEvent(message, handler);
    if (read.kind === 'invalid') return await attempts.refuse(source, read);
    await attempts.attempt(source, handler, read.event, signal);
  }

  function sourceOf(claimed: Claim & Job, signal: AbortSignal): JobSource {
    return {
      job: claimed,
      attempts: { counted: claimed.attempts, free: claimed.freeAttempts, pendingForMs: claimed.pendingForMs },
      async complete(effect) {
        const completeWithEffect = async (tx: Tx): Promise<boolean> => {
          // the lease expired: another process has the message, or an earlier commit took effect although its response was lost
          if (!(await completeClaim(tx, claimed))) return false;
          await effect?.(tx);
          return true;
        };
        const work = (): Promise<boolean> => db.transaction(completeWithEffect);
        return (await outage.retryWhileDatabaseIsDown(work, signal)) ? 'completed' : 'taken_over';
      },
      retry: async (decision) =>
        await outage.retryWhileDatabaseIsDown(() => releaseClaim(db, claimed, decision), signal),
      deadLetter: async (failure) =>
        await outage.retryWhileDatabaseIsDown(() => deadLetterClaim(db, deadLetter, claimed, failure), signal),
    };
  }

  return {
    ...pool,
    async stop() {
      await pool.stop();
      heartbeat.stop();
    },
  };
}
