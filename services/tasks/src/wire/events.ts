import { subscriptions } from '@taskwire/contracts';
import { createInbox, type Handler } from '@taskwire/inbox';
import { createRelay } from '@taskwire/outbox';
import type { Database } from '@taskwire/postgres';
import { createRabbit, eventQueue, serviceTopology } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import type { Env } from '../env.ts';

/** Names Tasks as the owner of its queue and the sender of its events. */
const service = 'tasks';

type EventParts = { db: Database; telemetry: Telemetry; handlers: readonly Handler[] };

/** Wires the broker, the relay that publishes events, and the inbox that consumes them. */
export function wireEvents(env: Env, { db, telemetry, handlers }: EventParts) {
  const rabbit = createRabbit({
    ...{ name: service, telemetry, url: env.AMQP_URL, managementUrl: env.RABBITMQ_MANAGEMENT_URL },
    topology: serviceTopology({ service, bindings: subscriptions.tasks }),
    sender: { service, logins: env.EVENT_LOGINS },
  });
  const relay = createRelay({ databaseUrl: db.url, publisher: rabbit.publisher(), telemetry, appId: service });
  const inbox = createInbox({
    ...{ db, rabbit, queue: eventQueue(service), handlers, telemetry },
    senders: { logins: env.EVENT_LOGINS, withoutUserId: env.EVENTS_WITHOUT_USER_ID },
    limits: { resolvedDeadLetterDays: env.DEAD_LETTER_DAYS, deadLetterAuditDays: env.DEAD_LETTER_AUDIT_DAYS },
  });
  return { rabbit, relay, inbox };
}
