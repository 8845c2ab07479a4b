import { randomUUIDv7 } from 'node:crypto';
import amqp from 'amqplib';
import { expect } from 'chai';
import { Writable } from 'node:stream';
import { eventQueue, type Delivery } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { publishRaw, waitFor } from '@taskwire/testing';
import { aMessage, collector, createBench, type Bench } from './bench.ts';

const queue = eventQueue('tasks');

describe('a message with unreadable headers', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  async function publishNested(nestedHeaders: number): Promise<string> {
    const messageId = randomUUIDv7();
    const connection = await amqp.connect(bench.broker.url('auth'));
    const channel = await connection.createChannel();
    publishRaw(channel, {
      ...{ exchange: 'taskwire.events', routingKey: 'auth.user.created', messageId, nestedHeaders },
      ...{ appId: 'auth', body: Buffer.from('{"n":1}') },
    });
    // the response arrives only after the broker has accepted the publish
    await channel.checkExchange('taskwire.events');
    await connection.close();
    return messageId;
  }

  // amqplib can decode 1,000 levels; 18,000 levels overflow its stack
  for (const levels of [1_000, 18_000]) {
    it(`is delivered once without its headers, costs no other message a delivery, and is logged: ${levels} levels`, async function () {
      this.timeout(30_000);
      const lines: Record<string, unknown>[] = [];
      const telemetry = createTelemetry({
        service: 'tasks',
        stream: new Writable({
          write(chunk, _encoding, done) {
            lines.push(JSON.parse(String(chunk)) as Record<string, unknown>);
            done();
          },
        }),
      });
      const lostConnections = async (): Promise<number> => {
        const lost = await telemetry.metrics.getSingleMetric('rabbit_connections_lost_total')?.get();
        return (lost?.values ?? []).reduce((sum, { value }) => sum + value, 0);
      };
      const rabbit = await bench.rabbit({ telemetry });
      const seen = collector();
      const held: Delivery[] = [];
      // this message remains unacknowledged during the test; if the connection were lost, it would be delivered again
      const gate = Promise.withResolvers<void>();
      rabbit.consume({
        queue,
        prefetch: 10,
        async onMessage(delivery) {
          if (held.push(delivery) === 1) await gate.promise;
          await seen.onMessage(delivery);
        },
      });
      const [first, last] = [aMessage(), aMessage()];
      await rabbit.publisher().publish(first);
      await waitFor(() => held.length === 1);
      // with a busy broker, a connection may have been lost during the set-up
      const lostBefore = await lostConnections();
      const messageId = await publishNested(levels);
      await rabbit.publisher().publish(last);
      await waitFor(() => seen.received.length === 2, { timeoutMs: 20_000 });
      gate.resolve();
      await waitFor(() => seen.received.length === 3);

      expect(seen.ids()).to.deep.equal([messageId, last.messageId, first.messageId]);
      const [unreadable, ...others] = seen.received;
      expect(unreadable).to.deep.include({
        ...{ messageId, type: 'auth.user.created', appId: 'auth', body: Buffer.from('{"n":1}') },
        ...{ headers: {}, contentType: 'application/json', redelivered: false },
      });
      expect(unreadable?.headersFault).to.match(levels === 1_000 ? /nested more than 16 levels/ : /call stack/);
      for (const other of others) expect(other).to.include({ redelivered: false, headersFault: undefined });
      expect(await lostConnections(), JSON.stringify(lines)).to.equal(lostBefore);
      expect(lines.find(({ message_id: id }) => id === messageId)).to.include({ level: 'error', queue });
    });
  }

  it('may arrive in many pieces and among other messages', async function () {
    this.timeout(60_000);
    const rabbit = await bench.rabbit();
    const seen = collector();
    rabbit.consume({ queue, prefetch: 100, onMessage: seen.onMessage });
    await rabbit.publisher().publish(aMessage());
    await waitFor(() => seen.received.length === 1);
    const ids = await Promise.all([18_000, 3, 1_000].map(publishNested));
    await waitFor(() => seen.received.length === 4, { timeoutMs: 50_000 });
    expect(seen.ids()).to.include.members(ids);
    expect(seen.received.filter(({ headersFault }) => headersFault !== undefined)).to.have.length(2);
    expect(seen.received.filter(({ redelivered }) => redelivered)).to.deep.equal([]);
  });
});
