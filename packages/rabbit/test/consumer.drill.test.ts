import { expect } from 'chai';
import { eventQueue } from '@taskwire/rabbit';
import { waitFor } from '@taskwire/testing';
import { aMessage, collector, createBench, type Bench } from './bench.ts';

describe('consumer whose peer is gone without notice', () => {
  let bench: Bench;
  const queue = eventQueue('tasks');
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  it('detects it, and receives messages again', async () => {
    const rabbit = await bench.rabbit({ heartbeatSeconds: 1 });
    const seen = collector();
    rabbit.consume({ queue, prefetch: 10, onMessage: seen.onMessage });
    await rabbit.publisher().publish(aMessage());
    await waitFor(() => seen.received.length === 1);
    bench.network.set({ kind: 'half_open' });
    await waitFor(
      () =>
        rabbit.ping().then(
          () => false,
          () => true,
        ),
      { timeoutMs: 10_000 },
    );
    bench.network.heal();
    await waitFor(async () => (await rabbit.publisher().publish(aMessage())) === 'confirmed');
    // A message whose confirm was lost with its channel may also have arrived. The broker activates the new consumer only after it has missed the old
    // consumer's heartbeats.
    await waitFor(() => seen.received.length >= 2, { timeoutMs: 15_000 });
  });

  it('stops within the shutdown timeout of a process', async function () {
    this.timeout(20_000);
    const rabbit = await bench.rabbit({ heartbeatSeconds: 60 });
    const seen = collector();
    rabbit.consume({ queue, prefetch: 10, onMessage: seen.onMessage });
    // this one is still being set up
    rabbit.consume({ queue, prefetch: 10, onMessage: seen.onMessage, ready: () => new Promise(() => undefined) });
    await waitFor(async () => (await rabbit.publisher().publish(aMessage())) === 'confirmed');
    await waitFor(() => seen.received.length === 1);
    bench.network.set({ kind: 'half_open' });
    const startedAt = performance.now();
    await rabbit.stop();
    expect(performance.now() - startedAt).to.be.below(8_000);
  });
});
