import { expect } from 'chai';
import { createRelay, insertEvents, outboxMigrations, type Relay } from '@taskwire/outbox';
import type { Partitions } from '@taskwire/partitions';
import { createTelemetry } from '@taskwire/telemetry';
import { fillTables, silent, testDatabase, waitFor, type TestDatabase } from '@taskwire/testing';
import { rowStatements } from '../src/reader.ts';
import { fakePublisher } from './fake-publisher.ts';
import { anEvent, wholeOutbox } from './bench.ts';

const ids = Array.from({ length: 40 }, (_, n) => `task-${n}`);

describe('relays of the partitions of an outbox', () => {
  let database: TestDatabase;
  let relays: Relay[];
  beforeEach(async () => {
    database = await testDatabase([outboxMigrations]);
    relays = [];
  });
  afterEach(async () => {
    await Promise.all(relays.map((relay) => relay.stop()));
    await database.drop();
  });

  function relayOf(partitions: Partitions, permission?: () => Promise<AbortSignal | undefined>) {
    const publisher = fakePublisher(() => 'confirmed');
    const telemetry = createTelemetry({ service: 'tasks', stream: silent() });
    const relay = createRelay({
      ...{ databaseUrl: database.url, publisher, telemetry, appId: 'tasks', partitions },
      ...(permission !== undefined && { permission }),
    });
    relays.push(relay);
    return { relay, publisher, telemetry };
  }
  const append = async (): Promise<void> =>
    await insertEvents(
      database.db.pool,
      ids.flatMap((id) => [anEvent(0, id), anEvent(1, id)]),
    );
  const aggregates = ({ taken }: ReturnType<typeof fakePublisher>) =>
    new Set(taken.map(({ headers }) => String(headers['aggregate_id'])));

  it('publish the events of their partitions and no others, each with its partition, in order', async () => {
    const first = relayOf({ count: 4, served: [0, 2] });
    const second = relayOf({ count: 4, served: [1, 3] });
    await append();
    await Promise.all([first.relay.tick(), second.relay.tick()]);
    const [a, b] = [aggregates(first.publisher), aggregates(second.publisher)];
    expect(a.size + b.size).to.equal(ids.length);
    expect(a.isDisjointFrom(b)).to.equal(true);
    const taken = [...first.publisher.taken, ...second.publisher.taken];
    expect(taken).to.have.length(2 * ids.length);
    for (const id of ids) {
      const mine = taken.filter(({ headers }) => headers['aggregate_id'] === id);
      expect(mine.map(({ body }) => String(body))).to.deep.equal(['{"n":0}', '{"n":1}']);
      expect(new Set(mine.map(({ headers }) => headers['partition'])).size).to.equal(1);
    }
    expect(new Set(first.publisher.taken.map(({ headers }) => headers['partition']))).to.deep.equal(
      new Set(['0/4', '2/4']),
    );
  });

  it('send messages without a partition when there is one partition', async () => {
    const { relay, publisher, telemetry } = relayOf({ count: 1, served: [0] });
    await insertEvents(database.db.pool, [anEvent(0, 'task')]);
    await relay.tick();
    expect(publisher.taken).to.have.length(1);
    expect(publisher.taken[0]?.headers).to.include({ aggregate_id: 'task' }).and.not.to.have.property('partition');
    const leader = await telemetry.metrics.getSingleMetric('outbox_relay_leader')?.get();
    expect(leader?.values).to.deep.equal([{ value: 1, labels: {} }]);
  });

  it('have one leader for each partition, and a standby takes over the partition of a process that stops', async () => {
    const first = relayOf({ count: 2, served: [0, 1] });
    const second = relayOf({ count: 2, served: [0, 1] });
    await first.relay.tick();
    await second.relay.tick();
    expect([first.relay.isLeader(), second.relay.isLeader()]).to.deep.equal([true, false]);
    await first.relay.stop();
    await second.relay.tick();
    expect(second.relay.isLeader()).to.equal(true);
    const leader = await second.telemetry.metrics.getSingleMetric('outbox_relay_leader')?.get();
    expect(leader?.values).to.deep.equal([
      { value: 1, labels: { partition: '0' } },
      { value: 1, labels: { partition: '1' } },
    ]);
  });

  it('never lead at the same time as a relay of the whole outbox', async () => {
    const whole = relayOf({ count: 1, served: [0] });
    const parts = relayOf({ count: 2, served: [0, 1] });
    await whole.relay.tick();
    await parts.relay.tick();
    expect([whole.relay.isLeader(), parts.relay.isLeader()]).to.deep.equal([true, false]);
    await whole.relay.stop();
    await parts.relay.tick();
    const another = relayOf({ count: 1, served: [0] });
    await another.relay.tick();
    expect([parts.relay.isLeader(), another.relay.isLeader()]).to.deep.equal([true, false]);
    await parts.relay.stop();
    await another.relay.tick();
    expect(another.relay.isLeader()).to.equal(true);
  });

  it('resign when they may no longer publish, and publish nothing until they may again', async () => {
    let permission: AbortController | undefined = new AbortController();
    const { relay, publisher } = relayOf({ count: 2, served: [0, 1] }, async () => permission?.signal);
    await relay.start();
    await append();
    await waitFor(() => publisher.taken.length === 2 * ids.length);
    permission.abort(new Error('the number changes'));
    permission = undefined;
    await waitFor(() => !relay.isLeader());
    const whole = relayOf({ count: 1, served: [0] });
    await waitFor(async () => {
      await whole.relay.tick();
      return whole.relay.isLeader();
    });
    await whole.relay.stop();
    await append();
    await relay.tick();
    expect(publisher.taken).to.have.length(2 * ids.length);
    permission = new AbortController();
    await waitFor(() => publisher.taken.length === 4 * ids.length);
  });

  it('choose rows by an index, as the relay of the whole outbox does', async () => {
    const insert = `INSERT INTO outbox (type, aggregate_id, payload, headers)
      SELECT 'tasks.task.changed', md5(n::text), '{}'::json, '{}'::json FROM generate_series(1, $1::int) n`;
    await fillTables(database, [insert], [5_000]);
    for (const partition of [wholeOutbox, { index: 1, count: 4 }]) {
      for (const { plain, withBlocked } of Object.values(rowStatements(partition)))
        for (const { text } of [plain, withBlocked]) expect(await plan(text), text).not.to.include('Seq Scan');
    }
    // the scan for a batch passes over the rows of other partitions, and stops at its limit
    const { text } = rowStatements({ index: 1, count: 4 }).scan.plain;
    const passed = await plan(text.replace('$1', '0').replace('$2', '100'), 'ANALYZE, ');
    expect(Number(/Rows Removed by Filter: (\d+)/.exec(passed)?.[1])).to.be.within(150, 600);
  });

  /** With the settings of the leader's connection. */
  async function plan(text: string, how = 'GENERIC_PLAN, '): Promise<string> {
    const client = await database.db.pool.connect();
    try {
      for (const name of ['enable_seqscan', 'enable_bitmapscan']) await client.query(`SET ${name} = off`);
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN (${how}COSTS off) ${text}`);
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    } finally {
      client.release(true);
    }
  }
});
