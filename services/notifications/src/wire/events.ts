import { subscriptions } from '@taskwire/contracts';
import { createInbox, type Handler } from '@taskwire/inbox';
import type { PartitionWatch } from '@taskwire/partitions';
import type { Database } from '@taskwire/postgres';
import { createRabbit, eventQueue, eventQueues, serviceTopology } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import type { Env } from '../env.ts';

const service = 'notifications';
const bindings = subscriptions.notifications;
/** Subscribed events that notify no one, and event types that this build doesn't know, are acknowledged and ignored. */
const ignore = bindings;

/** Wires the broker, and the inbox with its handlers. */
export function wireEvents(
  env: Env,
  needs: {
    db: Database;
    telemetry: Telemetry;
    partitions: PartitionWatch;
    handlers: Handler[];
    claimWhile: () => boolean;
    verifyEveryMs: number | undefined;
  },
) {
  const { db, telemetry, partitions: watch, handlers, claimWhile, verifyEveryMs } = needs;
  const { partitions } = watch;
  const rabbit = createRabbit({
    url: env.AMQP_URL,
    name: service,
    telemetry,
    topology: serviceTopology({ service, bindings, partitions: partitions.count }),
    mayDeclare: watch.mayDeclare,
    managementUrl: env.RABBITMQ_MANAGEMENT_URL,
    verifyEveryMs,
  });
  const inbox = createInbox({
    db,
    rabbit,
    queue: eventQueue(service),
    queues: eventQueues(service, partitions),
    permission: watch.consuming,
    handlers,
    senders: { logins: env.EVENT_LOGINS, withoutUserId: env.EVENTS_WITHOUT_USER_ID },
    limits: { resolvedDeadLetterDays: env.DEAD_LETTER_DAYS, deadLetterAuditDays: env.DEAD_LETTER_AUDIT_DAYS },
    telemetry,
    ignore,
    claimWhile,
  });
  return { rabbit, inbox };
}
