import type { Database } from '@taskwire/postgres';
import type { Delivery } from '@taskwire/rabbit';
import type { DatabaseOutage } from './database-outage.ts';
import type { DeadLetterWriter } from './dead-letter.ts';
import type { Handlers } from './handler.ts';
import { jobFor, unhandledJob } from './job.ts';
import { isMessageId, toMessage } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import { deadLetterReceived } from './received-jobs.ts';
import { storable } from './storable.ts';

/**
 * Processes messages that the queue dead-lettered, such as one that killed its consumer before it could be recorded. The message becomes a dead
 * letter for each of its handlers that had not completed it.
 */
export function createDeadLetterQueueConsumer(options: {
  db: Database;
  handlers: Handlers;
  ignores: (type: string) => boolean;
  deadLetter: DeadLetterWriter;
  outage: DatabaseOutage;
  metrics: InboxMetrics;
}): (delivery: Delivery) => Promise<void> {
  const { db, handlers, deadLetter, outage, metrics } = options;

  return async (delivery) => {
    const [death] = delivery.deaths;
    const reason = delivery.headersFault === undefined ? storable(death?.reason ?? 'unknown') : 'unreadable_headers';
    const error = storable(`dead-lettered by the queue ${delivery.routingKey}: ${reason}`);
    const failure = { reason, error, attempts: delivery.deliveryCount };
    // the routing key is now the dead-letter queue's, but the type is still the event's
    const message = toMessage(delivery);
    const wanted = handlers.of(message.type);
    if (wanted.length === 0 && options.ignores(message.type))
      return metrics.messages.inc({ handler: 'none', outcome: 'ignored' });
    const canBeHandled = isMessageId(message.id) && wanted.length > 0;
    const jobs = canBeHandled ? wanted.map((handler) => jobFor(message, handler)) : [unhandledJob(message)];
    for (const job of jobs) {
      const record = (): Promise<void> => deadLetterReceived(db, deadLetter, job, failure);
      await outage.retryWhileDatabaseIsDownOrBusy(record, delivery.signal);
    }
  };
}
