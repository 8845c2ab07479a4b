import { expect } from 'chai';
import { appendEvents, eventHeaders, insertEvents, outboxInsertSql } from '@taskwire/outbox';
import { query } from '@taskwire/postgres';
import { withExtractedTrace, withLogContext } from '@taskwire/telemetry';
import { anEvent, createBench, type Bench } from './bench.ts';

describe('appendEvents', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  it('commits and rolls back with the change', async () => {
    const { db } = bench.database;
    await db.transaction(async (tx) => await appendEvents(tx, [anEvent(1), anEvent(2)]));
    await db
      .transaction(async (tx) => {
        await appendEvents(tx, [anEvent(3)]);
        throw new Error('the change failed');
      })
      .catch(() => undefined);
    expect((await bench.rows()).map((row) => row['payload'])).to.deep.equal([{ n: 1 }, { n: 2 }]);
  });

  it('assigns ids in the order of the events, even for thousands in one call', async () => {
    await insertEvents(
      bench.database.db.pool,
      Array.from({ length: 5_000 }, (_, n) => anEvent(n)),
    );
    const payloads = (await bench.rows()).map((row) => (row['payload'] as { n: number }).n);
    expect(payloads).to.deep.equal(payloads.toSorted((a, b) => a - b));
  });

  it('stores the trace and the id of the request that caused the event', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await withLogContext({ request_id: 'request-1' }, () =>
      withExtractedTrace({ traceparent }, { name: 'test' }, () => insertEvents(bench.database.db.pool, [anEvent(1)])),
    );
    const [row] = await bench.rows();
    const headers = row?.['headers'] as Record<string, string>;
    expect(headers['correlation_id']).to.equal('request-1');
    expect(headers['traceparent']).to.match(/^00-0af7651916cd43dd8448eb211c80319c-/);
  });

  it('rejects a payload above 64 KiB', async () => {
    const large = { type: 'tasks.task.changed', aggregateId: 'a', payload: { text: 'x'.repeat(70_000) } };
    const error: unknown = await insertEvents(bench.database.db.pool, [large]).catch((e: unknown) => e);
    expect(error).to.be.instanceOf(RangeError);
  });

  it('can be part of a statement that changes an aggregate and appends its event', async () => {
    const { pool } = bench.database.db;
    await query(pool, 'CREATE TABLE task (id text PRIMARY KEY)');
    const event = outboxInsertSql(
      `SELECT 'tasks.task.created', id, json_build_object('task_uuid', id), $2::json FROM changed`,
    );
    const sql = `WITH changed AS (INSERT INTO task VALUES ($1) RETURNING id), event AS (${event}) SELECT id FROM changed`;
    await query(pool, sql, ['t1', eventHeaders()]);
    const [row] = await bench.rows();
    expect(row).to.deep.include({ type: 'tasks.task.created', aggregate_id: 't1', payload: { task_uuid: 't1' } });
  });
});
