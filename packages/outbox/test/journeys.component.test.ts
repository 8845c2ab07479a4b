import { expect } from 'chai';
import { insertEvents, readEventJourneys } from '@taskwire/outbox';
import { query } from '@taskwire/postgres';
import { arrivedAt, withExtractedTrace, withLogContext } from '@taskwire/telemetry';
import { anEvent, createBench, smallLimits, type Bench } from './bench.ts';
import { fakePublisher } from './fake-publisher.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const neverAgain = { ...smallLimits, retry: { baseMs: 3_600_000, capMs: 3_600_000 } };

describe('journeys of events', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  const journeys = async (aggregateId: string, after?: readonly string[], limit = 50) =>
    await readEventJourneys(bench.database.db.pool, [aggregateId], { after, limit });

  it('are complete after the row of the outbox is deleted, in order, with the request', async () => {
    const { pool } = bench.database.db;
    const fields = { request_id: 'request-1', [arrivedAt]: performance.now() - 25 };
    await withLogContext(fields, () =>
      withExtractedTrace({ traceparent }, { name: 'test' }, () =>
        insertEvents(pool, [anEvent(1, 'task'), anEvent(2, 'other')]),
      ),
    );
    await bench.relay(fakePublisher(() => 'confirmed')).tick();
    expect(await bench.rows()).to.deep.equal([]);
    const { items } = await journeys('task');
    expect(items).to.have.length(1);
    const [{ message_id: _id, requested_at, created_at, published_at, confirmed_at, ...rest } = expect.fail()] = items;
    const steps = [requested_at, created_at, published_at, confirmed_at].map(String);
    for (const step of steps) expect(step).to.match(iso);
    expect(steps).to.deep.equal(steps.toSorted());
    expect(Date.parse(created_at) - Date.parse(String(requested_at))).to.be.within(25, 1_000);
    expect(rest).to.deep.equal({
      ...{
        event: 'tasks.task.changed',
        aggregate_id: 'task',
        request_id: 'request-1',
        trace_id: traceparent.slice(3, 35),
      },
      ...{ state: 'confirmed', attempts: 0, next_attempt_at: null, last_error: null },
    });
  });

  it('name events that wait, could not be published, or are blocked by one that could not', async () => {
    const { pool } = bench.database.db;
    await insertEvents(pool, [anEvent(1, 'task'), anEvent(2, 'task')]);
    const states = async () => (await journeys('task')).items.map(({ state }) => state);
    expect(await states()).to.deep.equal(['waiting', 'waiting']);
    await bench
      .relay(
        fakePublisher(() => 'returned'),
        neverAgain,
      )
      .tick();
    const { items } = await journeys('task');
    expect(items.map(({ state, attempts, last_error }) => [state, attempts, last_error])).to.deep.equal([
      ['retry', 1, 'no queue is bound for tasks.task.changed'],
      ['blocked', 0, null],
    ]);
    expect(items.map(({ next_attempt_at }) => next_attempt_at !== null)).to.deep.equal([true, false]);
    expect(items[0]).to.include({ request_id: null, trace_id: null, requested_at: null, published_at: null });
  });

  it('are read in pages across published and waiting events', async () => {
    const { pool } = bench.database.db;
    await insertEvents(pool, [anEvent(1, 'task'), anEvent(2, 'task')]);
    await bench.relay(fakePublisher(() => 'confirmed')).tick();
    await insertEvents(pool, [anEvent(3, 'task')]);
    const first = await journeys('task', undefined, 2);
    const second = await journeys('task', first.next, 2);
    expect([...first.items, ...second.items].map(({ state }) => state)).to.deep.equal([
      'confirmed',
      'confirmed',
      'waiting',
    ]);
    expect(second.next).to.equal(undefined);
  });

  it('find the events of an aggregate by an index, apart from the outbox', async () => {
    const { pool } = bench.database.db;
    await query(
      pool,
      `INSERT INTO published_events SELECT uuidv7(), 't', n::text, '{}', now(), now(), now(), now() FROM generate_series(1, 5000) n`,
    );
    await query(pool, 'ANALYZE published_events');
    const plan = await query<{ 'QUERY PLAN': string }>(
      pool,
      `EXPLAIN SELECT * FROM published_events WHERE aggregate_id = '77' ORDER BY message_id LIMIT 10`,
    );
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).to.include('published_events_of_aggregate');
  });
});
