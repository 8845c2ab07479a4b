import { expect } from 'chai';
import { deadExchange, eventQueue, PublishError } from '@taskwire/rabbit';
import { waitFor } from '@taskwire/testing';
import { aMessage, collector, createBench, publishThroughCut, topology, type Bench } from './bench.ts';

describe('publisher', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  async function failure(promise: Promise<unknown>): Promise<string> {
    const error: unknown = await promise.then(() => undefined).catch((e: unknown) => e);
    if (!(error instanceof PublishError)) throw new Error(`a PublishError was expected, not ${String(error)}`);
    return error.code;
  }

  it('resolves to confirmed when a queue stored the message, and to returned when none is bound', async () => {
    const publisher = (await bench.rabbit()).publisher();
    expect(await publisher.publish(aMessage())).to.equal('confirmed');
    expect(await publisher.publish(aMessage({ routingKey: 'no.queue.bound' }))).to.equal('returned');
  });

  it('distinguishes returned from confirmed messages among many in flight', async () => {
    const publisher = (await bench.rabbit()).publisher();
    const keys = Array.from({ length: 2_000 }, (_, i) => (i % 3 === 0 ? 'no.queue.bound' : 'auth.user.changed'));
    const outcomes = await Promise.all(keys.map((routingKey) => publisher.publish(aMessage({ routingKey }))));
    expect(outcomes).to.deep.equal(keys.map((key) => (key === 'no.queue.bound' ? 'returned' : 'confirmed')));
  });

  it('rejects when the broker nacks a message', async () => {
    const rabbit = await bench.rabbit({
      topology: async (channel) => {
        await channel.assertExchange('taskwire.events', 'topic');
        await channel.assertQueue('tasks.small', { maxLength: 1, overflow: 'reject-publish' });
        await channel.bindQueue('tasks.small', 'taskwire.events', '#');
      },
    });
    expect(await rabbit.publisher().publish(aMessage())).to.equal('confirmed');
    expect(await failure(rabbit.publisher().publish(aMessage()))).to.equal('nacked');
  });

  it('rejects an id that is in flight, and messages that cannot be sent', async () => {
    const publisher = (await bench.rabbit()).publisher();
    const message = aMessage();
    const first = publisher.publish(message);
    expect(await failure(publisher.publish(message))).to.equal('in_flight');
    expect(await first).to.equal('confirmed');
    expect(await publisher.publish(message)).to.equal('confirmed');
    expect(await failure(publisher.publish(aMessage({ body: Buffer.alloc(2_000_000) })))).to.equal('invalid');
    expect(await failure(publisher.publish(aMessage({ headers: { long: 'x'.repeat(70_000) } })))).to.equal('invalid');
    expect(await publisher.publish(aMessage())).to.equal('confirmed');
  });

  it('resolves or rejects every publish when connections are closed, and loses no message that is published again', async () => {
    const rabbit = await bench.rabbit();
    const publisher = rabbit.publisher();
    const seen = collector();
    rabbit.consume({ queue: eventQueue('tasks'), prefetch: 500, onMessage: seen.onMessage });
    await publisher.publish(aMessage());
    const messages = Array.from({ length: 3_000 }, () => aMessage());
    let unknown = 0;
    const untilConfirmed = async (message: (typeof messages)[number]): Promise<void> => {
      for (;;) {
        try {
          return void (await publisher.publish(message));
        } catch (error) {
          if (!(error instanceof PublishError) || error.code !== 'unknown') throw error;
          unknown += 1;
        }
      }
    };
    const all = Promise.all(messages.map(untilConfirmed));
    bench.network.set({ kind: 'cut' });
    bench.network.heal();
    await all;
    expect(unknown).to.be.greaterThan(0);
    await waitFor(() => new Set(seen.ids()).size === messages.length + 1, { timeoutMs: 20_000 });
  });

  it('keeps waiting messages when connections are closed', async () => {
    const publisher = (await bench.rabbit({ limits: { maxInFlight: 200 } })).publisher();
    await publisher.publish(aMessage());
    const published = Array.from({ length: 1_000 }, () => publisher.publish(aMessage()));
    bench.network.set({ kind: 'cut' });
    bench.network.heal();
    const outcomes = await Promise.all(published.map(async (one) => await one.catch((e: PublishError) => e.code)));
    // only written messages fail; waiting ones are kept
    expect(outcomes.slice(0, 200)).to.deep.equal(Array.from({ length: 200 }, () => 'unknown'));
    expect(new Set(outcomes.slice(200))).to.deep.equal(new Set(['confirmed']));
  });

  it('reconnects after an operator has closed its connections', async () => {
    const publisher = (await bench.rabbit()).publisher();
    await publisher.publish(aMessage());
    // the management plugin lists a connection only a few seconds after it was opened
    await waitFor(async () => (await bench.closeConnections()) > 0, { timeoutMs: 10_000 });
    await waitFor(async () => (await publisher.publish(aMessage())) === 'confirmed');
  });

  it('declares the topology again when the broker closes its channel because the exchange is missing', async () => {
    const publisher = (await bench.rabbit()).publisher();
    await publisher.publish(aMessage());
    await bench.broker.management.call('DELETE', `/exchanges/${bench.broker.vhost}/taskwire.events`);
    expect(await failure(publisher.publish(aMessage()))).to.equal('unknown');
    expect(await publisher.publish(aMessage())).to.equal('confirmed');
  });

  for (const bytes of [100, 400, 700]) {
    it(`connects eventually when the socket fails after ${bytes} bytes of the set-up`, async () => {
      expect(await publishThroughCut(bench, bytes)).to.be.at.least(1);
    });
  }

  it('retries when a declaration is rejected', async () => {
    let refusals = 1;
    const rabbit = await bench.rabbit({
      topology: async (channel) => {
        await topology(channel);
        // 406: it exists with another type
        if (refusals-- > 0) await channel.assertExchange(deadExchange, 'fanout');
      },
    });
    expect(await rabbit.publisher().publish(aMessage())).to.equal('confirmed');
    expect(refusals).to.be.lessThan(0);
  });

  it('detects a peer that is gone without notice', async () => {
    const publisher = (await bench.rabbit({ heartbeatSeconds: 1 })).publisher();
    await publisher.publish(aMessage());
    bench.network.set({ kind: 'half_open' });
    expect(await failure(publisher.publish(aMessage()))).to.equal('unknown');
    bench.network.heal();
    expect(await publisher.publish(aMessage())).to.equal('confirmed');
  });

  it('closes a connection on which no message is confirmed in time', async () => {
    const publisher = (await bench.rabbit({ heartbeatSeconds: 60, limits: { confirmTimeoutMs: 500 } })).publisher();
    await publisher.publish(aMessage());
    bench.network.set({ kind: 'half_open' });
    expect(await failure(publisher.publish(aMessage()))).to.equal('unknown');
    bench.network.heal();
    expect(await publisher.publish(aMessage())).to.equal('confirmed');
  });

  it('waits while the broker blocks the connection, until the signal is aborted', async () => {
    const rabbit = await bench.rabbit();
    const publisher = rabbit.publisher();
    await publisher.publish(aMessage());
    bench.tap.inject(connectionBlocked);
    const given = new AbortController();
    await waitFor(async () => {
      const publish = publisher.publish(aMessage(), { signal: given.signal });
      if (publisher.inFlight() > 0) return await publish.then(() => false);
      given.abort();
      return (await failure(publish)) === 'not_sent';
    });
    const waiting = publisher.publish(aMessage());
    expect(publisher.inFlight()).to.equal(0);
    bench.tap.inject(connectionUnblocked);
    expect(await waiting).to.equal('confirmed');
  });

  it('stops waiting after its timeout', async () => {
    bench.network.set({ kind: 'cut' });
    const publisher = (await bench.rabbit({ limits: { waitTimeoutMs: 100 } })).publisher();
    expect(await failure(publisher.publish(aMessage()))).to.equal('not_sent');
  });

  it('limits messages in flight, and keeps the order of calls', async () => {
    const rabbit = await bench.rabbit({ limits: { maxInFlight: 10 } });
    const publisher = rabbit.publisher();
    const seen = collector();
    const messages = Array.from({ length: 500 }, () => aMessage());
    let most = 0;
    const publish = async (message: (typeof messages)[number]): Promise<void> => {
      const published = publisher.publish(message);
      most = Math.max(most, publisher.inFlight());
      await published;
      most = Math.max(most, publisher.inFlight());
    };
    await Promise.all(messages.map(publish));
    rabbit.consume({ queue: eventQueue('tasks'), prefetch: 500, onMessage: seen.onMessage });
    await waitFor(() => seen.received.length === 500);
    expect(most).to.equal(10);
    expect(seen.ids()).to.deep.equal(messages.map((message) => message.messageId));
  });

  it('waits for confirms of sent messages before it stops, and sends none afterwards', async () => {
    const rabbit = await bench.rabbit();
    const publisher = rabbit.publisher();
    await publisher.publish(aMessage());
    const sent = Promise.all(Array.from({ length: 200 }, () => publisher.publish(aMessage())));
    await rabbit.stop();
    expect(new Set(await sent)).to.deep.equal(new Set(['confirmed']));
    expect(await failure(publisher.publish(aMessage()))).to.equal('not_sent');
  });
});

/** RabbitMQ's frame when an alarm is raised: a method frame on channel 0, class 10, method 60, with the reason as a short string. */
const connectionBlocked = Buffer.from([1, 0, 0, 0, 0, 0, 8, 0, 10, 0, 60, 3, 0x6c, 0x6f, 0x77, 0xce]);
const connectionUnblocked = Buffer.from([1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 61, 0xce]);
