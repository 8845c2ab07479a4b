import { eventExchange } from '@taskwire/contracts';
import type { Component } from '@taskwire/lifecycle';
import type { Telemetry } from '@taskwire/telemetry';
import type { Topology } from './channel.ts';
import { createConsumer, type ConsumeOptions, type Consumer } from './consumer.ts';
import { createLink } from './link.ts';
import { senderLogin, type Sender } from './logins.ts';
import { createPublisher, publisherLimits, type Publisher, type PublisherLimits } from './publisher.ts';

/** A process's access to RabbitMQ. Every part of it is made anew when it is lost, for as long as it takes. */
export type Rabbit = Component & {
  /** The publisher; one for the process. It may be used before `start`, publishes then wait. */
  publisher(): Publisher;
  /** Consumes from now on (or from `start` on) until the consumer or the whole is stopped. Messages come at least once. */
  consume(options: ConsumeOptions): Consumer;
  /** Rejects, naming what is down, unless everything that was asked for works. */
  ping(): Promise<void>;
};

export type RabbitOptions = {
  /** amqp:// or amqps:// with login and vhost. */
  url: string;
  /** Shown in the broker's list of connections. */
  name: string;
  telemetry: Telemetry;
  topology: Topology;
  /** Whose events are published. With it, and a login of that service in `url`, every message names the login as its `user_id`. */
  sender?: Sender;
  limits?: Partial<PublisherLimits>;
};

/**
 * Publishing and consuming use a connection each, made when first asked for: a broker under memory pressure stops reading from publishing
 * connections, and acks must still get through. `start` does not wait for the broker, so that a service serves while the broker is down;
 * `stop` drains consumers, then the publisher.
 */
export function createRabbit({ url, name, telemetry, topology, sender, limits }: RabbitOptions): Rabbit {
  const userId = sender === undefined ? undefined : senderLogin(url, sender);
  if (sender !== undefined && userId === undefined)
    telemetry.logger.warn(
      `events carry no user_id, because the login of AMQP_URL is not one of ${sender.service} (EVENT_LOGINS names others)`,
    );
  const publishLink = createLink({ url, name, purpose: 'publish', telemetry });
  const consumeLink = createLink({ url, name, purpose: 'consume', telemetry });
  const consumers = new Set<ReturnType<typeof createConsumer>>();
  let publisher: ReturnType<typeof createPublisher> | undefined;
  let started = false;

  function startPublishing(): void {
    publishLink.start();
    publisher?.start();
  }
  function startConsuming(consumer: ReturnType<typeof createConsumer>): void {
    consumeLink.start();
    consumer.start();
  }

  return {
    name: 'rabbit',
    publisher() {
      publisher ??= createPublisher({
        link: publishLink,
        topology,
        exchange: eventExchange,
        userId,
        telemetry,
        limits: { ...publisherLimits, ...limits },
      });
      if (started) startPublishing();
      return publisher;
    },
    consume(options) {
      const consumer = createConsumer(options, { link: consumeLink, topology, telemetry });
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
    },
    async stop() {
      started = false;
      await Promise.all([...consumers].map((consumer) => consumer.stop()));
      await consumeLink.stop();
      await publisher?.stop();
      await publishLink.stop();
    },
    async ping() {
      const down = [...consumers].filter((consumer) => !consumer.up()).map(({ queue }) => `consuming ${queue}`);
      if (publisher?.up() === false) down.push('publishing');
      if (down.length > 0) throw new Error(`not connected for ${down.join(', ')}`);
    },
  };
}
