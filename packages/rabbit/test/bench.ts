import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { startFaultProxy, type FaultProxy } from '@taskwire/process-supervisor';
import { silent, testBroker, waitFor, type TestBroker, type TestService } from '@taskwire/testing';
import { createTap, type Tap } from './tap.ts';
import { createRabbit, serviceTopology } from '@taskwire/rabbit';
import type { Delivery, OutgoingMessage, Rabbit, RabbitOptions } from '@taskwire/rabbit';

/** A fresh vhost, reached through a network that can fail. */
export type Bench = {
  broker: TestBroker;
  network: FaultProxy;
  /** Between the network and the broker. */
  tap: Tap;
  /** Starts a process of the service `tasks`, bound to `auth.user.*`. The process also publishes Auth's events, so it uses the operator's login. */
  rabbit(
    options?: Partial<Omit<RabbitOptions, 'url'>> & {
      heartbeatSeconds?: number;
      /** The service whose login is used instead of the operator's. */
      login?: TestService;
    },
  ): Promise<Rabbit>;
  /** Closes the connections of the vhost as an operator would; returns their number. */
  closeConnections(): Promise<number>;
  drop(): Promise<void>;
};

export const topology = serviceTopology({ service: 'tasks', bindings: ['auth.user.*'] });

export async function createBench(): Promise<Bench> {
  const broker = await testBroker();
  const { port } = new URL(broker.url('tasks'));
  const tap = await createTap(Number(port));
  const network = await startFaultProxy({ targetPort: tap.port });
  const rabbits: Rabbit[] = [];
  return {
    broker,
    network,
    tap,
    async rabbit({ heartbeatSeconds = 5, login, ...options } = {}) {
      const telemetry = createTelemetry({ service: 'tasks', stream: silent() });
      const url = new URL(`${broker.url(login)}?heartbeat=${heartbeatSeconds}`);
      url.port = String(network.port);
      const rabbit = createRabbit({ name: 'test', telemetry, topology, ...options, url: url.href });
      rabbits.push(rabbit);
      await rabbit.start();
      return rabbit;
    },
    async closeConnections() {
      const open = await broker.management.call<{ name: string }[]>('GET', `/vhosts/${broker.vhost}/connections`);
      for (const { name } of open)
        await broker.management.call('DELETE', `/connections/${encodeURIComponent(name)}`).catch(() => undefined);
      return open.length;
    },
    async drop() {
      network.heal();
      tap.cutAfter(undefined);
      await Promise.all(rabbits.map((rabbit) => rabbit.stop()));
      await network.stop();
      await tap.stop();
      await broker.drop();
    },
  };
}

export function aMessage(message: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return {
    messageId: randomUUIDv7(),
    routingKey: 'auth.user.created',
    body: Buffer.from('{"n":1}'),
    headers: { schema_version: 1 },
    timestamp: Math.floor(Date.now() / 1000),
    appId: 'auth',
    ...message,
  };
}

/**
 * Publishes with a process whose socket fails after this number of bytes from the broker, and again once it is connected. Returns the number of times
 * that the socket failed.
 */
export async function publishThroughCut(bench: Bench, bytes: number): Promise<number> {
  bench.tap.cutAfter(bytes);
  const rabbit = await bench.rabbit();
  const publisher = rabbit.publisher();
  const message = aMessage();
  const published = publisher.publish(message).catch(() => undefined);
  const before = bench.tap.cutOff();
  await Promise.race([published, waitFor(() => bench.tap.cutOff() > before)]);
  const cuts = bench.tap.cutOff() - before;
  bench.tap.cutAfter(undefined);
  await published;
  expect(await publisher.publish(message)).to.equal('confirmed');
  await rabbit.stop();
  return cuts;
}

/** Collects deliveries by message id. */
export function collector() {
  const received: Delivery[] = [];
  return {
    received,
    ids: () => received.map((delivery) => delivery.messageId),
    onMessage: async (delivery: Delivery): Promise<void> => void received.push(delivery),
  };
}
