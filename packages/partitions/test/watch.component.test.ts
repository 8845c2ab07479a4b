import { expect } from 'chai';
import { createPartitionWatch, partitionMigrations, partitionsOf, partitionSql } from '@taskwire/partitions';
import { query } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, waitFor, type TestDatabase } from '@taskwire/testing';

describe('partitions of events', () => {
  let database: TestDatabase;
  before(async () => (database = await testDatabase([partitionMigrations])));
  after(async () => await database.drop());

  it('divide aggregates evenly by a hash that never changes', async () => {
    const count = 4;
    const sums = Array.from({ length: count }, (_, index) => partitionSql('id', { index, count }));
    const [row] = await query<Record<string, number>>(
      database.db.pool,
      `SELECT ${sums.map((condition, index) => `count(*) FILTER (WHERE ${condition})::int AS p${index}`).join(', ')}
       FROM (SELECT md5(n::text)::uuid::text AS id FROM generate_series(1, 8000) n) ids`,
    );
    const found = Object.values(row ?? {});
    expect(found.reduce((sum, rows) => sum + rows, 0)).to.equal(8_000);
    for (const rows of found) expect(rows).to.be.within(1_800, 2_200);
    // md5('task-é') begins with these 32 bits
    const [hash] = await query<{ bits: string }>(
      database.db.pool,
      `SELECT ('x' || left(md5('task-é'), 8))::bit(32)::bigint::text AS bits`,
    );
    expect(hash?.bits).to.equal('3497156306');
    const [fits] = await query<{ fits: boolean }>(
      database.db.pool,
      `SELECT ${partitionSql("'task-é'", { index: 2, count })} AS fits`,
    );
    expect(fits?.fits).to.equal(true);
  });

  it('have no condition when there is one', () => {
    expect(partitionSql('aggregate_id', { index: 0, count: 1 })).to.equal(undefined);
  });

  it('are all served, unless the environment chooses some that exist', () => {
    const of = (count: number, served?: number[]) =>
      partitionsOf({ EVENT_PARTITIONS: count, EVENT_PARTITIONS_SERVED: served });
    expect(of(3).served).to.deep.equal([0, 1, 2]);
    expect(of(3, [2]).served).to.deep.equal([2]);
    expect(() => of(3, [2, 3])).to.throw('EVENT_PARTITIONS_SERVED names 3, but with EVENT_PARTITIONS=3');
  });
});

describe('a watch of the number of partitions', () => {
  let database: TestDatabase;
  beforeEach(async () => (database = await testDatabase([partitionMigrations])));
  afterEach(async () => await database.drop());

  const watch = (count: number) =>
    createPartitionWatch({
      db: database.db,
      partitions: { count, served: [0] },
      telemetry: createTelemetry({ service: 'test', stream: silent() }),
    });
  const record = async (count: number, phase: string, next: number | null = null) =>
    void (await query(database.db.pool, 'UPDATE event_partitions SET count = $1, phase = $2, next_count = $3', [
      ...[count, phase, next],
    ]));
  const failure = async (work: Promise<unknown>): Promise<string> => await work.then(() => 'none', String);

  it('refuses to start with another number than the recorded one, and names the variable and the command', async () => {
    const message = await failure(watch(4).start());
    expect(message).to.include('EVENT_PARTITIONS is 4, but the database records 1');
    expect(message).to.include('npm run taskwire -- partitions 4');
  });

  it('refuses to start while queues are exchanged, and names the command that ends an interrupted change', async () => {
    await record(1, 'switching', 4);
    expect(await failure(watch(1).start()))
      .to.include('run it again')
      .and.include('npm run taskwire -- partitions 4');
  });

  it('permits consuming and no publishing while a change drains the queues, and neither while queues are exchanged', async () => {
    const watching = watch(1);
    await watching.start();
    const [relaying, consuming] = [await watching.relaying(), await watching.consuming()];
    await record(1, 'draining', 2);
    await waitFor(() => relaying?.aborted);
    expect(await watching.relaying()).to.equal(undefined);
    expect(consuming.aborted).to.equal(false);
    await watching.ready();
    await record(1, 'switching', 2);
    await waitFor(() => consuming.aborted);
    expect(await failure(watching.consuming())).to.include('is being changed to 2');
    expect(watching.mayDeclare()).to.equal(false);
    expect(await failure(watching.ready())).to.include('is being changed to 2');
    await watching.stop();
  });

  it('permits nothing after the number has changed, and both when a change was refused', async () => {
    const watching = watch(1);
    await watching.start();
    await record(2, 'running');
    expect(await watching.relaying()).to.equal(undefined);
    expect(await failure(watching.ready())).to.include('set EVENT_PARTITIONS=2');
    await record(1, 'running');
    expect((await watching.relaying())?.aborted).to.equal(false);
    expect((await watching.consuming()).aborted).to.equal(false);
    expect(watching.mayDeclare()).to.equal(true);
    await watching.stop();
  });

  it('starts on a database that is not migrated yet, and permits nothing there', async () => {
    await query(database.db.pool, 'DROP TABLE event_partitions');
    const watching = watch(1);
    await watching.start();
    expect(await failure(watching.consuming())).to.include('event_partitions');
    await watching.stop();
  });
});
