import { expect } from 'chai';
import { insertEvents } from '@taskwire/outbox';
import { createRabbit, eventQueue, serviceTopology, type Delivery } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { startFaultProxy, type FaultProxy } from '@taskwire/process-supervisor';
import { silent, testBroker, waitFor, type TestBroker } from '@taskwire/testing';
import { anEvent, type Bench } from './bench.ts';

/** The events of an outbox as a consumer receives them from a real broker. */
export type BrokerBench = {
  broker: TestBroker;
  received: readonly Delivery[];
  /** Payload numbers of first copies, by aggregate. */
  consumed(): Map<string, number[]>;
  /** Appends the events with these numbers for each of three aggregates. */
  append(from: number, to: number): Promise<void>;
  /** Waits until this number of events of each aggregate has arrived, and expects them to be in order. */
  expectAll(count: number): Promise<void>;
  drop(): Promise<void>;
};

export const networkTo = async (url: string): Promise<FaultProxy> =>
  await startFaultProxy({ targetPort: Number(new URL(url).port) });

export function through({ port }: FaultProxy, target: string): string {
  const url = new URL(target);
  url.port = String(port);
  return url.href;
}

const aggregates = ['a', 'b', 'c'];

export async function createBrokerBench(bench: Bench): Promise<BrokerBench> {
  const broker = await testBroker();
  const received: Delivery[] = [];
  const telemetry = createTelemetry({ service: 'notifications', stream: silent() });
  const topology = serviceTopology({ service: 'notifications', bindings: ['tasks.task.changed'] });
  const rabbit = createRabbit({ url: broker.url('notifications'), name: 'test', telemetry, topology });
  rabbit.consume({
    queue: eventQueue('notifications'),
    prefetch: 500,
    onMessage: async (delivery) => void received.push(delivery),
  });
  await rabbit.start();
  await waitFor(() => rabbit.ping().then(() => true));

  function consumed(): Map<string, number[]> {
    const seen = new Set<string | undefined>();
    const first = received.filter(({ messageId }) => !seen.has(messageId) && seen.add(messageId));
    const byAggregate = Map.groupBy(first, ({ headers }) => String(headers['aggregate_id']));
    const numberOf = ({ body }: Delivery): number => (JSON.parse(body.toString()) as { n: number }).n;
    return new Map([...byAggregate].map(([id, deliveries]) => [id, deliveries.map(numberOf)]));
  }

  return {
    broker,
    received,
    consumed,
    async append(from, to) {
      for (let n = from; n < to; n++) {
        await insertEvents(
          bench.database.db.pool,
          aggregates.map((id) => anEvent(n, id)),
        );
      }
    },
    async expectAll(count) {
      await waitFor(async () => (await bench.rows()).length === 0, { timeoutMs: 20_000 });
      await waitFor(() => [...consumed().values()].flat().length === aggregates.length * count);
      const inOrder = Array.from({ length: count }, (_, n) => n);
      for (const id of aggregates) expect(consumed().get(id)).to.deep.equal(inOrder);
    },
    async drop() {
      await rabbit.stop();
      await broker.drop();
    },
  };
}
