import { subscriptions } from '@taskwire/contracts';
import { createInbox, type Handler } from '@taskwire/inbox';
import type { Database } from '@taskwire/postgres';
import { createRabbit, eventQueue, serviceTopology } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import type { Env } from '../env.ts';

const service = 'notifications';
const bindings = subscriptions.notifications;
/** Acknowledge and ignore subscribed events that notify no one, and event types this build doesn't know yet. */
const ignore = bindings;

/** Wires the broker, and the inbox with its handlers. */
export function wireEvents(
  env: Env,
  needs: {
    db: Database;
    telemetry: Telemetry;
    handlers: Handler[];
    claimWhile: () => boolean;
    verifyEveryMs: number | undefined;
  },
) {
  const { db, telemetry, handlers, claimWhile, verifyEveryMs } = needs;
  const rabbit = createRabbit({
    url: env.AMQP_URL,
    name: service,
    telemetry,
    topology: serviceTopology({ service, bindings }),
    managementUrl: env.RABBITMQ_MANAGEMENT_URL,
    verifyEveryMs,
  });
  const inbox = createInbox({
    db,
    rabbit,
    queue: eventQueue(service),
    handlers,
    senders: { logins: env.EVENT_LOGINS, withoutUserId: env.EVENTS_WITHOUT_USER_ID },
    limits: { resolvedDeadLetterDays: env.DEAD_LETTER_DAYS, deadLetterAuditDays: env.DEAD_LETTER_AUDIT_DAYS },
    telemetry,
    ignore,
    claimWhile,
  });
  return { rabbit, inbox };
}
