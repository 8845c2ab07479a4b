import { expect } from 'chai';
import { insertEvents } from '@taskwire/outbox';
import { isoMicros, query } from '@taskwire/postgres';
import type { OutgoingMessage } from '@taskwire/rabbit';
import { arrivedAt, withLogContext } from '@taskwire/telemetry';
import { waitFor } from '@taskwire/testing';
import { anEvent, createBench, smallLimits, type Bench } from './bench.ts';
import { fakePublisher, type Answer } from './fake-publisher.ts';

const numberOf = (message: OutgoingMessage): number => (JSON.parse(message.body.toString()) as { n: number }).n;

describe('relay', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  const append = async (count: number, aggregateOf: (n: number) => string = () => 'a', from = 0): Promise<void> =>
    await insertEvents(
      bench.database.db.pool,
      Array.from({ length: count }, (_, i) => anEvent(from + i, aggregateOf(from + i))),
    );

  it('publishes a committed event with its id, routing key and context, then deletes its row', async () => {
    const publisher = fakePublisher(() => 'confirmed');
    await append(1);
    const [row] = await bench.rows();
    await bench.relay(publisher).tick();
    expect(publisher.taken).to.have.length(1);
    expect(publisher.taken[0]).to.include({
      messageId: row?.['message_id'],
      routingKey: 'tasks.task.changed',
      appId: 'tasks',
    });
    expect(publisher.taken[0]?.headers).to.include({ schema_version: 1, aggregate_id: 'a' });
    expect(await bench.rows()).to.deep.equal([]);
  });

  it('records a published event with the times in its message, by the clock of the database', async () => {
    const { pool } = bench.database.db;
    await query(pool, 'CREATE TABLE started AS SELECT clock_timestamp() AS at');
    await withLogContext({ request_id: 'request-1', [arrivedAt]: performance.now() - 70 }, () => append(1));
    const publisher = fakePublisher(
      () => 'confirmed',
      () => 20,
    );
    await bench.relay(publisher).tick();
    const [published, ...others] = await query(
      pool,
      `SELECT e.message_id, type, aggregate_id, headers ->> 'correlation_id' AS request_id,
         ${isoMicros('created_at')} AS created, ${isoMicros('published_at')} AS published,
         at < written_at AND written_at <= created_at AND created_at <= published_at AND confirmed_at < clock_timestamp() AS in_order,
         extract(epoch FROM confirmed_at - published_at)::float8 >= 0.019 AS confirm_is_later,
         (headers ->> 'request_age_us')::integer BETWEEN 70000 AND 1000000 AS age_is_known
       FROM published_events e, started`,
    );
    expect(others).to.deep.equal([]);
    const { messageId, headers } = publisher.taken[0]!;
    expect(published).to.deep.equal({
      ...{ message_id: messageId, type: 'tasks.task.changed', aggregate_id: 'a', request_id: 'request-1' },
      ...{ created: headers['created_at'], published: headers['published_at'] },
      ...{ in_order: true, confirm_is_later: true, age_is_known: true },
    });
  });

  it('records the last attempt of an event that was published repeatedly, and nothing for one that is not confirmed', async () => {
    const { pool } = bench.database.db;
    const publisher = fakePublisher((message, attempt) =>
      numberOf(message) === 1 ? 'returned' : attempt === 1 ? 'unknown but taken' : 'confirmed',
    );
    await append(2, (n) => `a${n}`);
    await bench.relay(publisher, { ...smallLimits, retry: { baseMs: 3_600_000, capMs: 3_600_000 } }).tick();
    const rows = await query(pool, `SELECT aggregate_id, ${isoMicros('published_at')} AS at FROM published_events`);
    const attempts = publisher.taken.map(({ headers }) => headers['published_at']);
    expect(attempts).to.have.length(2);
    expect(attempts[0]! < attempts[1]!).to.equal(true);
    expect(rows).to.deep.equal([{ aggregate_id: 'a0', at: attempts[1] }]);
  });

  it('names the published epoch of its database, once that is above 1', async () => {
    const publisher = fakePublisher(() => 'confirmed');
    await query(bench.database.db.pool, 'UPDATE source_epoch SET epoch = 3, consistent_epoch = 2');
    await append(1);
    await bench.relay(publisher).tick();
    expect(publisher.taken[0]?.headers).to.include({ schema_version: 1, aggregate_id: 'a', source_epoch: 2 });
  });

  it('sends the next event of an aggregate only after the previous one is confirmed, and other aggregates concurrently', async () => {
    const underWay = new Set<string>();
    let most = 0;
    const publisher = fakePublisher(async ({ headers }): Promise<Answer> => {
      const aggregate = String(headers['aggregate_id']);
      expect(underWay.has(aggregate)).to.equal(false);
      underWay.add(aggregate);
      most = Math.max(most, underWay.size);
      await new Promise((resolve) => setImmediate(resolve));
      underWay.delete(aggregate);
      return 'confirmed';
    });
    await append(200, (n) => `a${n % 7}`);
    await bench.relay(publisher, { ...smallLimits, batch: 20, window: 40 }).tick();
    expect(most).to.equal(7);
    for (let a = 0; a < 7; a++) {
      const numbers = publisher.taken.map(numberOf).filter((n) => n % 7 === a);
      expect(numbers).to.deep.equal(numbers.toSorted((x, y) => x - y));
    }
  });

  for (const failure of ['returned', 'nacked', 'invalid'] as const) {
    it(`blocks only the aggregate of an event that is ${failure}, and sends it in order afterwards`, async () => {
      let broken = true;
      const publisher = fakePublisher((message) => (broken && numberOf(message) === 0 ? failure : 'confirmed'));
      await append(40, (n) => (n % 4 === 0 ? 'broken' : 'sound'));
      const relay = bench.relay(publisher, { ...smallLimits, retry: { baseMs: 3_600_000, capMs: 3_600_000 } });
      await relay.tick();
      expect(publisher.taken.map(numberOf)).to.deep.equal(
        Array.from({ length: 40 }, (_, n) => n).filter((n) => n % 4 !== 0),
      );
      const [blocker, ...blocked] = await bench.rows();
      expect(blocker).to.include({ attempts: 1 });
      expect(blocker?.['last_error']).to.be.a('string');
      expect(blocked).to.have.length(9);

      // later events of the aggregate wait behind these rows, even in a relay that has none of these rows in memory
      await append(4, () => 'broken', 40);
      await relay.stop();
      broken = false;
      await query(bench.database.db.pool, 'UPDATE outbox SET next_attempt_at = now() WHERE attempts > 0');
      await bench.relay(publisher).tick();
      const ofBroken = publisher.taken.slice(30).map(numberOf);
      expect(ofBroken).to.deep.equal([0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 41, 42, 43]);
      expect(await bench.rows()).to.deep.equal([]);
    });
  }

  it('retries a blocker with back-off up to the cap', async () => {
    const publisher = fakePublisher((_message, attempt) => (attempt < 6 ? 'returned' : 'confirmed'));
    await append(3);
    const relay = bench.relay(publisher);
    await waitFor(async () => (await relay.tick(), (await bench.rows()).length === 0));
    expect(publisher.asked.filter((message) => numberOf(message) === 0)).to.have.length(6);
    expect(publisher.taken.map(numberOf)).to.deep.equal([0, 1, 2]);
  });

  it('sends an event again with the same id when it is unknown whether the broker stored it', async () => {
    const publisher = fakePublisher((message, attempt) =>
      numberOf(message) % 2 === 0 && attempt === 1 ? 'unknown but taken' : 'confirmed',
    );
    await append(10, (n) => `a${n % 3}`);
    await bench.relay(publisher).tick();
    const ids = publisher.taken.map((message) => message.messageId);
    expect(new Set(ids).size).to.equal(10);
    expect(ids).to.have.length(15);
    expect(await bench.rows()).to.deep.equal([]);
  });

  it('blocks the aggregate of an event during which the channel is lost repeatedly, so that others are published', async () => {
    const publisher = fakePublisher((message) => (numberOf(message) === 0 ? 'unknown' : 'confirmed'));
    await append(5, (n) => `a${n}`);
    await bench.relay(publisher, { ...smallLimits, retry: { baseMs: 3_600_000, capMs: 3_600_000 } }).tick();
    expect(publisher.taken.map(numberOf)).to.deep.equal([1, 2, 3, 4]);
    expect(await bench.rows()).to.have.length(1);
  });

  it('finds a row that was committed late, below rows that it has already sent', async () => {
    const publisher = fakePublisher(() => 'confirmed');
    const relay = bench.relay(publisher);
    const writer = await bench.database.db.pool.connect();
    await writer.query('BEGIN');
    await insertEvents(writer, [anEvent(0, 'late')]);
    await append(30, () => 'a', 1);
    for (let i = 0; i < 3; i++) await relay.tick();
    expect(publisher.taken).to.have.length(30);
    await writer.query('COMMIT');
    writer.release();
    await relay.tick();
    expect(numberOf(publisher.taken[30] as OutgoingMessage)).to.equal(0);
    expect(await bench.rows()).to.deep.equal([]);
  });

  it('deletes no unconfirmed row when it loses its connection', async () => {
    const confirm = Promise.withResolvers<'confirmed'>();
    const publisher = fakePublisher(async () => await confirm.promise);
    const relay = bench.relay(publisher);
    await append(3, (n) => `a${n}`);
    const round = relay.tick().catch((error: unknown) => error);
    await waitFor(() => publisher.asked.length === 3);
    expect(await bench.killLeaderConnections()).to.equal(1);
    await waitFor(() => !relay.isLeader());
    confirm.resolve('confirmed');
    expect(await round).to.be.instanceOf(Error);
    expect(await bench.rows()).to.have.length(3);
    await relay.tick();
    expect(await bench.rows()).to.deep.equal([]);
    expect(new Set(publisher.taken.map((message) => message.messageId)).size).to.equal(3);
  });

  it('waits for the confirms of sent events when it stops, and leaves the other rows', async () => {
    const publisher = fakePublisher(
      () => 'confirmed',
      () => 20,
    );
    await append(1_000);
    const relay = bench.relay(publisher);
    await relay.start();
    await waitFor(() => publisher.taken.length > 3);
    await relay.stop();
    expect(await bench.rows()).to.have.length(1_000 - publisher.taken.length);
    expect(publisher.inFlight()).to.equal(0);
  });

  it('limits the bytes of events in memory, whatever the limit of rows', async () => {
    const publisher = fakePublisher(() => new Promise<never>(() => undefined));
    const large = (n: number) => ({ ...anEvent(n, `a${n}`), payload: { n, filling: 'x'.repeat(1_000) } });
    await insertEvents(
      bench.database.db.pool,
      Array.from({ length: 100 }, (_, n) => large(n)),
    );
    const relay = bench.relay(publisher, { ...smallLimits, window: 100, inFlight: 100, windowBytes: 12_000 });
    await relay.start();
    await waitFor(() => publisher.asked.length >= 15);
    // a further poll reads no more
    await waitFor(() => relay.stats().rows === 100);
    expect(publisher.asked).to.have.length(15);
  });

  it('sleeps while nothing can be sent, even when further rows were announced', async () => {
    const publisher = fakePublisher(() => new Promise<never>(() => undefined));
    await append(15, (n) => `a${n}`);
    const relay = bench.relay(publisher);
    await relay.start();
    await waitFor(() => publisher.asked.length === 8);
    await append(15, (n) => `a${n}`, 15);
    relay.wake();
    await waitFor(() => relay.stats().rows === 30);
    const { setTimeout } = globalThis;
    let timers = 0;
    globalThis.setTimeout = Object.assign(
      (...args: Parameters<typeof setTimeout>) => ((timers += 1), setTimeout(...args)),
      setTimeout,
    );
    await append(1);
    // the next poll sees it
    await waitFor(() => relay.stats().rows === 31).finally(() => (globalThis.setTimeout = setTimeout));
    // a poll and its statements need only a handful of timers
    expect(timers).to.be.lessThan(50);
  });

  it('reports the number of pending rows and the age of the oldest', async () => {
    const relay = bench.relay(
      fakePublisher(() => 'returned'),
      {
        ...smallLimits,
        retry: { baseMs: 3_600_000, capMs: 3_600_000 },
      },
    );
    expect(relay.stats()).to.deep.equal({ rows: 0, blocked: 0, oldestAgeSeconds: 0 });
    await append(3);
    await query(bench.database.db.pool, `UPDATE outbox SET created_at = now() - interval '1 hour'`);
    await relay.tick();
    await relay.tick();
    const stats = relay.stats();
    expect(stats).to.include({ rows: 3, blocked: 3 });
    expect(stats.oldestAgeSeconds).to.be.within(3_600, 3_660);
  });
});
