import { expect } from 'chai';
import { subscriptions } from '@taskwire/contracts';
import { openChangeRecord, type ChangeRecord } from '@taskwire/partitions';
import { createDatabase, query } from '@taskwire/postgres';
import { openEventQueueAdmin } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { createPartitionedSuite, silent, simulateWork, waitFor, type PartitionedSuite } from '@taskwire/testing';
import { changePartitions } from '../partitions/change.ts';
import { aggregates, handled, recorded, runPartitions, running } from './partitioned-suite.ts';

describe('changes of the number of partitions', function () {
  this.timeout(900_000);
  let suite: PartitionedSuite;
  beforeEach(async () => (suite = await createPartitionedSuite()));
  afterEach(async () => await suite.drop());

  it('lose, repeat and reorder no event of a writer that never stops', async () => {
    let worker = await suite.start(1, { handleMs: () => 2 });
    let writing = true;
    const writer = (async () => {
      while (writing) {
        await suite.append(...aggregates);
        await simulateWork(50);
      }
    })();
    for (const count of [4, 2, 1]) {
      const effects = async (): Promise<number> => [...(await suite.effects()).values()].flat().length;
      const before = await effects();
      await waitFor(async () => (await effects()) > before + 100, { timeoutMs: 60_000 });
      const { code, stdout, stderr } = await runPartitions(suite, String(count));
      expect([code, stdout], stderr).to.deep.equal([
        0,
        `The number of partitions is ${count}. Restart every worker with EVENT_PARTITIONS=${count}.\n`,
      ]);
      expect(await recorded(suite)).to.deep.equal(running(count));
      // the old worker neither publishes nor consumes, and a new one with the old number does not start
      expect(worker.relay.isLeader()).to.equal(false);
      await worker.stop();
      worker = await suite.start(count, { handleMs: () => 2 });
    }
    writing = false;
    await writer;
    await handled(suite);
    expect(await suite.queues()).to.have.members(['tasks.events', 'notifications.events']);
  });

  it('are recorded again in a database that was restored to before one', async () => {
    expect((await runPartitions(suite, '2')).code).to.equal(0);
    const worker = await suite.start(2);
    await query(suite.databases.tasks.db.pool, 'UPDATE event_partitions SET count = 1');
    await suite.append(...aggregates);
    expect(await runPartitions(suite, '2')).to.include({ code: 0 });
    expect(await recorded(suite)).to.deep.equal(running(2));
    await handled(suite);
    await worker.stop();
  });

  it('can be run again, with the same or another number, after a kill between any two steps', async () => {
    let worker = await suite.start(1);
    let [before, next] = [1, 3];
    for (let steps = 0, killed = true; killed; steps++) {
      await suite.append(...aggregates);
      await handled(suite);
      await worker.stop();
      killed = await changeKilledAfter(steps, next);
      // the second run uses the new number and the old one alternately
      const again = steps % 2 === 0 ? next : before;
      if (killed) {
        const { code, stderr } = await runPartitions(suite, String(again));
        expect(code, `after ${steps} steps: ${stderr}`).to.equal(0);
      }
      const count = killed ? again : next;
      expect(await recorded(suite), `after ${steps} steps`).to.deep.equal(running(count));
      worker = await suite.start(count);
      [before, next] = [count, count === 1 ? 3 : 1];
    }
    await suite.append(...aggregates);
    await handled(suite);
  });

  /** Changes the number, and aborts the change after this number of steps, as a kill would. Resolves to whether it was killed. */
  async function changeKilledAfter(steps: number, count: number): Promise<boolean> {
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    const records: Record<string, ChangeRecord> = {};
    for (const [service, { url }] of Object.entries(suite.databases)) {
      records[service] = await openChangeRecord(
        await createDatabase({ url, poolSize: 2, applicationName: 'test', telemetry }),
      );
    }
    const queues = await openEventQueueAdmin({
      ...{ url: suite.broker.url(), telemetry },
      services: (['tasks', 'notifications'] as const).map((service) => ({ service, bindings: subscriptions[service] })),
    });
    let left = steps;
    const killed = new Error('killed');
    try {
      await changePartitions({
        ...{ records, queues, count, timeoutMs: 20_000, signal: new AbortController().signal },
        report: () => undefined,
        onStep() {
          if (left-- === 0) throw killed;
        },
      });
      return false;
    } catch (error) {
      if (error === killed) return true;
      throw error;
    } finally {
      for (const record of Object.values(records)) await record.close();
      await queues.close();
    }
  }
});
