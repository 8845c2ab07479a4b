import { expect } from 'chai';
import { openChangeRecord } from '@taskwire/partitions';
import { createDatabase, query } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { createPartitionedSuite, silent, waitFor, type PartitionedSuite } from '@taskwire/testing';
import { handled, recorded, runPartitions, running } from './partitioned-suite.ts';

describe('npm run taskwire -- partitions', function () {
  this.timeout(60_000);
  let suite: PartitionedSuite;
  beforeEach(async () => (suite = await createPartitionedSuite()));
  afterEach(async () => await suite.drop());

  const partitions = async (...args: string[]) => await runPartitions(suite, ...args);

  it('divides the queues, and records the number', async () => {
    const { code, stdout, stderr } = await partitions('4');
    expect([code, stdout], stderr).to.deep.equal([
      0,
      'The number of partitions is 4. Restart every worker with EVENT_PARTITIONS=4.\n',
    ]);
    expect(await recorded(suite)).to.deep.equal(running(4));
    expect((await suite.queues()).filter((name) => name.startsWith('notifications'))).to.have.members(
      [0, 1, 2, 3].map((index) => `notifications.events.${index}`),
    );
  });

  it('refuses while messages wait that no worker handles, names their queue, and lets the suite continue', async () => {
    const worker = await suite.start(1);
    await suite.append('task');
    await handled(suite);
    await worker.inbox.stop();
    await suite.append('task');
    await waitFor(async () => (await query(suite.databases.tasks.db.pool, 'SELECT FROM outbox')).length === 0);
    const { code, stdout, stderr } = await partitions('4', '--timeout', '1');
    expect([code, stdout]).to.deep.equal([1, '']);
    expect(stderr).to.include(
      'Messages wait in notifications.events 1 (no consumer). The number of partitions is unchanged.',
    );
    expect(await recorded(suite)).to.deep.equal(running(1));
    await worker.inbox.start();
    await suite.append('task');
    await handled(suite);
  });

  it('prints the number and a change that is under way', async () => {
    const { stdout } = await partitions();
    expect(stdout).to.equal('auth: 1 partition\ntasks: 1 partition\nnotifications: 1 partition\n');
    const set = "UPDATE event_partitions SET count = 2, phase = 'draining', next_count = 4";
    await query(suite.databases.tasks.db.pool, set);
    expect((await partitions()).stdout).to.include('tasks: 2 partitions, draining for a change to 4\n');
  });

  it('does nothing when the number is recorded already', async () => {
    expect(await partitions('1')).to.include({ code: 0, stdout: 'It is 1 already.\n' });
  });

  it('never runs twice at the same time', async () => {
    const { url } = suite.databases.tasks;
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    const other = await openChangeRecord(
      await createDatabase({ url, poolSize: 2, applicationName: 'test', telemetry }),
    );
    expect(await other.tryLockChange()).to.equal(true);
    const { code, stderr } = await partitions('2');
    expect(code).to.equal(1);
    expect(stderr).to.include('Another change of the partitions is under way in the database of tasks');
    await other.close();
  });

  it('rejects a number that is out of range with exit code 2', async () => {
    for (const number of ['0', '65', 'two']) {
      const { code, stderr } = await partitions(number);
      expect(code).to.equal(2);
      expect(stderr).to.include('from 1 to 64');
    }
  });

  it('lets no worker start with another number than the recorded one', async () => {
    const refusal = await suite.start(2).then(() => 'started', String);
    expect(refusal).to.include('EVENT_PARTITIONS is 2, but the database records 1');
  });
});
