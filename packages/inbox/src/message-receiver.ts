import { createBatches } from '@taskwire/lifecycle';
import type { Database, Tx } from '@taskwire/postgres';
import type { Delivery } from '@taskwire/rabbit';
import { createCommitter } from './commit.ts';
import type { AttemptRunner, JobSource } from './attempts.ts';
import type { DatabaseOutage } from './database-outage.ts';
import type { DeadLetterWriter } from './dead-letter.ts';
import type { Attempts } from './decide.ts';
import type { Handlers, NamedHandler } from './handler.ts';
import { jobFor, unhandledJob, type Job } from './job.ts';
import { createKeyChains } from './key-chains.ts';
import type { InboxLimits } from './limits.ts';
import { checkMessage, readEvent, toMessage } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import {
  attemptedOnce,
  deadLetterReceived,
  lookUpJobs,
  notAttempted,
  recordPending,
  type DedupeLookup,
} from './received-jobs.ts';
import type { SenderRules } from './sender.ts';

export type MessageReceiverOptions = {
  db: Database;
  handlers: Handlers;
  /** Whether a type without a matching handler is acknowledged without a row. */
  ignores: (type: string) => boolean;
  senders: SenderRules;
  attempts: AttemptRunner;
  deadLetter: DeadLetterWriter;
  outage: DatabaseOutage;
  limits: InboxLimits;
  metrics: InboxMetrics;
  /** Called when a message has been recorded that can be attempted at once. */
  onRecorded: () => void;
};

/** The number of messages looked up per statement; of the same order as the prefetch. */
const maxLookups = 200;

const firstAttempt: Attempts = { counted: 1, free: 0, pendingForMs: 0 };

/**
 * Processes messages from the queue. The returned function resolves when the message can be acknowledged, that is, when its effect is committed or
 * its failure is recorded. For each handler and key, one message runs at a time, in queue order.
 */
export function createMessageReceiver(options: MessageReceiverOptions): (delivery: Delivery) => Promise<void> {
  const { db, handlers, attempts, deadLetter, outage, limits, metrics } = options;
  const chains = createKeyChains();
  const lookUp = createBatches<Job, DedupeLookup>({
    name: 'look up messages',
    maxItems: maxLookups,
    run: (jobs) => lookUpJobs(db.pool, jobs),
  });
  const commit = createCommitter(db);

  function count(handler: string, outcome: string): void {
    metrics.messages.inc({ handler, outcome });
  }

  async function handle(job: Job, handler: NamedHandler, signal: AbortSignal): Promise<void> {
    const { isKnown, isBlocked } = await outage.retryWhileDatabaseIsDownOrBusy(() => lookUp(job), signal);
    if (isKnown) return count(job.handler, 'duplicate');
    const read = readEvent(job.message, handler);
    const source = sourceOf(job, signal);
    if (read.kind === 'invalid') return await attempts.refuse(source, read);
    if (isBlocked) return await recordUnattempted(job, 'waiting', signal);
    await attempts.attempt(source, handler, read.event, signal);
  }

  function sourceOf(job: Job, signal: AbortSignal): JobSource {
    return {
      job,
      attempts: firstAttempt,
      async complete(effect) {
        const result = await outage.retryWhileDatabaseIsDown(() => commit(job, effect), signal);
        if (result === 'committed') return 'completed';
        // another process has this message, or has recorded an earlier message of the key that now blocks this one; recording this message shows
        // which
        await recordUnattempted(job, 'waiting', signal);
        return 'taken_over';
      },
      async retry(decision) {
        const record = (tx: Tx): Promise<boolean> => recordPending(tx, job, attemptedOnce(decision));
        await outage.retryWhileDatabaseIsDownOrBusy(() => db.transaction(record), signal);
      },
      async deadLetter(failure) {
        const record = (): Promise<void> => deadLetterReceived(db, deadLetter, job, failure);
        await outage.retryWhileDatabaseIsDownOrBusy(record, signal);
      },
    };
  }

  /** Records the message without handling it. It runs after earlier messages with the same key, or at once if they have completed. */
  async function recordUnattempted(job: Job, outcome: 'waiting' | 'suspect', signal: AbortSignal): Promise<void> {
    const record = async (tx: Tx): Promise<boolean> => {
      tx.afterCommit(options.onRecorded);
      return await recordPending(tx, job, notAttempted);
    };
    const isNew = await outage.retryWhileDatabaseIsDownOrBusy(() => db.transaction(record), signal);
    count(job.handler, isNew ? outcome : 'duplicate');
  }

  return async (delivery) => {
    const { signal, headersFault } = delivery;
    const message = toMessage(delivery);
    const wanted = handlers.of(message.type);
    if (wanted.length === 0 && options.ignores(message.type)) return count('none', 'ignored');
    const schemaVersion = delivery.headers['schema_version'];
    const { senders } = options;
    const invalid = checkMessage(message, { schemaVersion, handlerCount: wanted.length, senders, headersFault });
    if (invalid !== undefined) {
      const failure = { reason: invalid.reason, error: invalid.error, attempts: 1 };
      const record = (): Promise<void> => deadLetterReceived(db, deadLetter, unhandledJob(message), failure);
      return await outage.retryWhileDatabaseIsDownOrBusy(record, signal);
    }
    const isSuspect = delivery.deliveryCount >= limits.suspectAfterDeliveries;
    await Promise.all(
      wanted.map((handler) => {
        const job = jobFor(message, handler);
        const run = (): Promise<void> =>
          // a message that was delivered repeatedly may be the one that kills the process, so it is recorded before it is attempted
          isSuspect ? recordUnattempted(job, 'suspect', signal) : handle(job, handler, signal);
        return job.orderKey === undefined ? run() : chains.after(`${handler.name} ${job.orderKey}`, run, signal);
      }),
    );
  };
}
