import { eventExchange } from '@taskwire/contracts';
import type { Component } from '@taskwire/lifecycle';
import type { Telemetry } from '@taskwire/telemetry';
import { createConsumer, type ConsumeOptions, type Consumer } from './consumer.ts';
import { createDeclare } from './declare.ts';
import { senderLogin, type Sender } from './logins.ts';
import { createManagement } from './management.ts';
import { publisherLimits, type PublisherLimits } from './publisher-limits.ts';
import { createPublisher, type Publisher } from './publisher.ts';
import { createSupervisedConnection } from './supervised-connection.ts';
import { createTopologyCheck } from './topology-check.ts';
import { planOf } from './topology-plan.ts';
import type { Topology } from './topology.ts';

/** A process's access to RabbitMQ. Each lost connection or channel is re-established, with unlimited retries. */
export type Rabbit = Component & {
  /** Returns the publisher, one per process. It may be used before `start`; publishes then wait. */
  publisher(): Publisher;
  /** Consumes from now on (or from `start`) until the consumer or the component is stopped. Messages are delivered at least once. */
  consume(options: ConsumeOptions): Consumer;
  /**
   * Resolves if the publisher and every requested consumer work, and the topology could be declared when it was last verified; otherwise rejects with
   * the names of the failed parts. The warning names the keys that are missing from the policies of the queues.
   */
  ping(): Promise<{ warning: string } | undefined>;
};

export type RabbitOptions = {
  /** An amqp:// or amqps:// URL with login and vhost. */
  url: string;
  /** Shown in the broker's list of connections. */
  name: string;
  telemetry: Telemetry;
  topology: Topology;
  /**
   * RabbitMQ's management API (http://host:15672), called with the login of `url` unless this URL has its own. Without it, missing policies and lost
   * bindings cannot be reported.
   */
  managementUrl?: string | undefined;
  /**
   * Whether this process may declare its topology now. While this returns false, a publisher or consumer that reconnects waits. Default: always true.
   */
  mayDeclare?: () => boolean;
  /** How often the topology is verified and declared again, in milliseconds. */
  verifyEveryMs?: number | undefined;
  /** The service whose events are published. If `url` has a login of that service, every message carries the login as its `user_id`. */
  sender?: Sender;
  limits?: Partial<PublisherLimits>;
};

/** A part of the topology that is deleted under a consumer is restored within this time. A check makes about ten short requests to the broker. */
const verifyEveryMs = 30_000;

/**
 * Publishing and consuming use one connection each, opened on first use: a broker under memory pressure stops reading from publishing connections,
 * and acknowledgements must still get through. `start` does not wait for the broker, so that a service serves requests while the broker is down.
 * `stop` drains the consumers, then the publisher.
 */
export function createRabbit(options: RabbitOptions): Rabbit {
  const { url, name, telemetry, topology, sender, limits, managementUrl } = options;
  const userId = sender === undefined ? undefined : senderLogin(url, sender);
  if (sender !== undefined && userId === undefined)
    telemetry.logger.warn(
      `events carry no user_id, because the login of AMQP_URL is not one of ${sender.service} (EVENT_LOGINS names others)`,
    );
  const publishConnection = createSupervisedConnection({ url, name, purpose: 'publish', telemetry });
  const consumeConnection = createSupervisedConnection({ url, name, purpose: 'consume', telemetry });
  const mayDeclare = options.mayDeclare ?? (() => true);
  const declare = createDeclare({ topology, mayDeclare, telemetry });
  const check = createTopologyCheck({
    async connection(signal) {
      // uses the consumers' connection if there is one, because the publishing connection may be blocked for hours
      if (consumers.size > 0) return await consumeConnection.get(signal);
      return publisher === undefined ? undefined : await publishConnection.get(signal);
    },
    declare,
    mayDeclare,
    plan: planOf(topology),
    management: managementUrl === undefined ? undefined : createManagement({ url: managementUrl, amqpUrl: url }),
    intervalMs: options.verifyEveryMs ?? verifyEveryMs,
    telemetry,
  });
  const consumers = new Set<ReturnType<typeof createConsumer>>();
  let publisher: ReturnType<typeof createPublisher> | undefined;
  let started = false;

  function startPublishing(): void {
    publishConnection.start();
    publisher?.start();
  }
  function startConsuming(consumer: ReturnType<typeof createConsumer>): void {
    consumeConnection.start();
    consumer.start();
    check.wake();
  }

  return {
    name: 'rabbit',
    publisher() {
      publisher ??= createPublisher({
        supervised: publishConnection,
        declare,
        exchange: eventExchange,
        userId,
        telemetry,
        limits: { ...publisherLimits, ...limits },
      });
      if (started) startPublishing();
      return publisher;
    },
    consume(options) {
      const consumer = createConsumer(options, { supervised: consumeConnection, declare, telemetry });
      consumers.add(consumer);
      if (started) startConsuming(consumer);
      return {
        async stop() {
          await consumer.stop();
          consumers.delete(consumer);
        },
      };
    },
    async start() {
      started = true;
      if (publisher !== undefined) startPublishing();
      for (const consumer of consumers) startConsuming(consumer);
      await check.start();
    },
    async stop() {
      started = false;
      await Promise.all([check.stop(), ...[...consumers].map((consumer) => consumer.stop())]);
      await consumeConnection.stop();
      await publisher?.stop();
      await publishConnection.stop();
    },
    async ping() {
      const down = [...consumers].filter((consumer) => !consumer.up()).map(({ queue }) => `consuming ${queue}`);
      if (publisher?.up() === false) down.push('publishing');
      if (down.length > 0) throw new Error(`not connected for ${down.join(', ')}`);
      const fault = check.fault();
      if (fault !== undefined) throw new Error(fault);
      const warning = check.warning();
      return warning === undefined ? undefined : { warning };
    },
  };
}
