import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import amqp, { type ConfirmChannel } from 'amqplib';
import { eventExchange, publisherOf, subscriptions } from '@taskwire/contracts';
import type { Consumer, PoisonForm } from '../schedule.ts';
import type { RawMessage } from './raw-message.ts';

/** The operator's actions on queues. Each is retried until the broker confirms it, because faults may make the broker unavailable. */
export type Operator = {
  /** Puts messages into a service's queue, in this order. */
  deliver(to: Consumer, messages: readonly RawMessage[]): Promise<void>;
  /** Stops or resumes the routing of events to a service's queue. */
  route(to: Consumer, routed: 'on' | 'off'): Promise<void>;
  /** Returns the number of messages waiting in each service's queues. */
  queueLengths(): Promise<{ name: string; messages: number }[]>;
};

/** The binding keys as declared by the services. */
export const bindingKeys: Record<Consumer, readonly string[]> = {
  tasks: subscriptions.tasks,
  notifications: subscriptions.notifications,
};

const consumers = Object.keys(bindingKeys) as Consumer[];
const againAfterMs = 300;

/** `signal` ends the retries; the action then fails with its last error. */
export function createOperator(url: string, signal: AbortSignal): Operator {
  /** Opens a connection for each action: actions are few, and the broker may be stopping at any of them. */
  async function once<T>(work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
    const connection = await amqp.connect(`${url}?heartbeat=5`, { timeout: 5_000 });
    connection.on('error', () => undefined);
    try {
      const channel = await connection.createConfirmChannel();
      channel.on('error', () => undefined);
      return await work(channel);
    } finally {
      await connection.close().catch(() => undefined);
    }
  }

  async function untilDone<T>(work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await once(work);
      } catch (error) {
        if (signal.aborted) throw error;
        await delay(againAfterMs);
      }
    }
  }

  return {
    deliver: (to, messages) =>
      untilDone(async (channel) => {
        // a separate exchange: the message keeps its routing key and reaches only this queue
        const exchange = `chaos.to.${to}`;
        await channel.assertExchange(exchange, 'topic', { durable: true });
        await channel.bindQueue(`${to}.events`, exchange, '#');
        for (const { routingKey, content, properties } of messages)
          channel.publish(exchange, routingKey, content, publishOptions(properties));
        await channel.waitForConfirms();
      }),
    route: (to, routed) =>
      untilDone(async (channel) => {
        for (const key of bindingKeys[to]) {
          if (routed === 'on') await channel.bindQueue(`${to}.events`, eventExchange, key);
          else await channel.unbindQueue(`${to}.events`, eventExchange, key);
        }
      }),
    queueLengths: () =>
      once(async (channel) => {
        const names = consumers.flatMap((service) => [`${service}.events`, `${service}.events.dead`]);
        return await Promise.all(
          names.map(async (name) => ({ name, messages: (await channel.checkQueue(name)).messageCount })),
        );
      }),
  };
}

function publishOptions(properties: RawMessage['properties']): amqp.Options.Publish {
  const { messageId, type, timestamp, appId, userId, contentType, correlationId, headers } = properties;
  // the operator may name another login as the publisher (tag `impersonator`), as when messages are moved between queues
  const given = { messageId, type, timestamp, appId, userId, contentType, correlationId, headers };
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return { persistent: true, ...(Object.fromEntries(present) as amqp.Options.Publish) };
}

/** A message that cannot be handled. */
export function poison(to: Consumer, form: PoisonForm): RawMessage {
  const type = to === 'tasks' ? 'auth.user.changed' : 'tasks.task.assigned';
  const [id, aggregateId] = [randomUUID(), randomUUID()];
  const valid = {
    timestamp: new Date().toISOString(),
    ...(to === 'tasks' ? { user_id: aggregateId } : { task_uuid: aggregateId, assigned_to: randomUUID(), actor: null }),
  };
  const content =
    { not_json: '{"task_uuid": ', wrong_schema: '{"timestamp": 17}' }[form as string] ?? JSON.stringify(valid);
  const headers = { aggregate_id: aggregateId, schema_version: form === 'unknown_version' ? 99 : 1 };
  const properties = {
    ...{ type, headers, appId: publisherOf(type), userId: publisherOf(type), contentType: 'application/json' },
    ...(form !== 'no_message_id' && { messageId: id }),
  } as unknown as RawMessage['properties'];
  return { id, routingKey: type, content: Buffer.from(content), properties };
}
