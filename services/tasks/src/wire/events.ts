import { subscriptions } from '@taskwire/contracts';
import { createInbox, type Handler } from '@taskwire/inbox';
import { createRelay } from '@taskwire/outbox';
import type { PartitionWatch } from '@taskwire/partitions';
import type { Database } from '@taskwire/postgres';
import { createRabbit, eventQueue, eventQueues, serviceTopology } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import type { Env } from '../env.ts';

/** Names Tasks as the owner of its queue and the sender of its events. */
const service = 'tasks';

type EventParts = { db: Database; telemetry: Telemetry; partitions: PartitionWatch; handlers: readonly Handler[] };

/** Wires the broker, the relay that publishes events, and the inbox that consumes them. */
export function wireEvents(env: Env, { db, telemetry, partitions: watch, handlers }: EventParts) {
  const { partitions } = watch;
  const rabbit = createRabbit({
    ...{ name: service, telemetry, url: env.AMQP_URL, managementUrl: env.RABBITMQ_MANAGEMENT_URL },
    topology: serviceTopology({ service, bindings: subscriptions.tasks, partitions: partitions.count }),
    mayDeclare: watch.mayDeclare,
    sender: { service, logins: env.EVENT_LOGINS },
  });
  const relay = createRelay({
    ...{ databaseUrl: db.url, publisher: rabbit.publisher(), telemetry, appId: service },
    ...{ partitions, permission: watch.relaying },
  });
  const inbox = createInbox({
    ...{ db, rabbit, queue: eventQueue(service), handlers, telemetry },
    ...{ queues: eventQueues(service, partitions), permission: watch.consuming },
    senders: { logins: env.EVENT_LOGINS, withoutUserId: env.EVENTS_WITHOUT_USER_ID },
    limits: { resolvedDeadLetterDays: env.DEAD_LETTER_DAYS, deadLetterAuditDays: env.DEAD_LETTER_AUDIT_DAYS },
  });
  return { rabbit, relay, inbox };
}
