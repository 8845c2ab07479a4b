import type { Database } from '@taskwire/postgres';
import type { Delivery } from '@taskwire/rabbit';
import type { Logger } from '@taskwire/telemetry';
import type { Handlers } from './handler.ts';
import { isMessageId, orderKey, toMessage } from './message.ts';
import type { InboxMetrics } from './metrics.ts';
import type { SurviveOutage } from './outage.ts';
import { recordDead } from './store.ts';
import { storable } from './storable.ts';

/**
 * Processes messages that the queue dead-lettered, such as one that killed its consumer before it could be recorded. The message becomes a dead
 * letter for each of its handlers that had not completed it.
 */
export function createDeadIntake(options: {
  db: Database;
  handlers: Handlers;
  ignores: (type: string) => boolean;
  survive: SurviveOutage;
  metrics: InboxMetrics;
  logger: Logger;
}): (delivery: Delivery) => Promise<void> {
  const { db, handlers, survive, metrics, logger } = options;

  return async (delivery) => {
    const [death] = delivery.deaths;
    const reason = delivery.headersFault === undefined ? storable(death?.reason ?? 'unknown') : 'unreadable_headers';
    const error = storable(`${delivery.routingKey} gave it up: ${reason}`);
    const attempts = delivery.deliveryCount;
    // the routing key is now that of the dead queue, but the type is still the event's
    const message = toMessage(delivery);
    const wanted = handlers.of(message.type);
    if (wanted.length === 0 && options.ignores(message.type))
      return metrics.messages.inc({ handler: 'none', outcome: 'ignored' });
    const known = isMessageId(message.id);
    if (!known || wanted.length === 0) {
      const job = { message, handler: undefined, orderKey: undefined };
      await survive.persist(() => recordDead(db, job, { attempts, error, reason, holdsBack: false }), delivery.signal);
    }
    for (const handler of known ? wanted : []) {
      const key = orderKey(message, handler);
      const job = { message, handler: handler.name, orderKey: key };
      const holdsBack = handler.order === 'through_dead_letters' && key !== undefined;
      await survive.persist(() => recordDead(db, job, { attempts, error, reason, holdsBack }), delivery.signal);
    }
    metrics.messages.inc({ handler: wanted[0]?.name ?? 'none', outcome: 'dead' });
    logger.error('a message that its queue gave up on is a dead letter', {
      message_id: message.id,
      event: message.type,
      reason,
    });
  };
}
