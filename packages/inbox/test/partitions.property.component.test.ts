import { expect } from 'chai';
import fc from 'fast-check';
import { query } from '@taskwire/postgres';
import {
  createPartitionedSuite,
  propertyRuns,
  propertyTimeoutMs,
  simulateWork,
  waitFor,
  type PartitionedSuite,
  type PartitionWorker,
} from '@taskwire/testing';

const aggregates = 12;
const program = fc.record({
  /** The aggregate of each successive event, and the pause before the event. */
  events: fc.array(fc.record({ aggregate: fc.nat({ max: aggregates - 1 }), pauseMs: fc.nat({ max: 3 }) }), {
    minLength: 60,
    maxLength: 160,
  }),
  handleMs: fc.array(fc.nat({ max: 8 }), { minLength: 10, maxLength: 10 }),
  /** The faults: which worker loses its connections to the broker, or stops and is replaced, and when. */
  faults: fc.array(
    fc.record({
      worker: fc.nat({ max: 2 }),
      afterMs: fc.nat({ max: 400 }),
      kind: fc.constantFrom<'cut' | 'replace'>('cut', 'replace'),
    }),
    { minLength: 1, maxLength: 5 },
  ),
});

describe('events in four partitions', () => {
  let suite: PartitionedSuite;
  before(async () => {
    suite = await createPartitionedSuite();
    for (const { db } of Object.values(suite.databases)) await query(db.pool, 'UPDATE event_partitions SET count = 4');
  });
  after(async () => await suite.drop());

  // each partition has a standby, and partitions 1 to 3 have two
  const served = [
    [0, 1],
    [1, 2, 3],
    [0, 1, 2, 3],
  ];
  /** They serve one run after the other: starting them takes longer than the rest of a run. */
  const workers: PartitionWorker[] = [];
  let handleMs: readonly number[] = [];
  let turn = 0;

  async function startWorker(index: number): Promise<void> {
    const options = { served: served[index] ?? [], handleMs: () => handleMs[turn++ % handleMs.length] ?? 0 };
    workers[index] = await suite.start(4, options);
  }

  async function expectEachOnce(): Promise<void> {
    expect(sorted(await suite.effects())).to.deep.equal(sorted(suite.expected()));
  }

  async function run({ events, faults, ...program }: Program): Promise<void> {
    // nothing of the last run was handled again
    await expectEachOnce();
    await suite.forget();
    ({ handleMs } = program);
    const faulting = (async () => {
      for (const { worker, afterMs, kind } of faults) {
        await simulateWork(afterMs);
        if (kind === 'cut') workers[worker]?.network.reset();
        else {
          await workers[worker]?.stop();
          await startWorker(worker);
        }
      }
    })();
    for (const { aggregate, pauseMs } of events) {
      await simulateWork(pauseMs);
      await suite.append(`task-${aggregate}`);
    }
    await faulting;
    const total = [...suite.expected().values()].flat().length;
    const handled = async (): Promise<boolean> => [...(await suite.effects()).values()].flat().length >= total;
    await waitFor(handled, { timeoutMs: 40_000, what: `${total} events to be handled` });
    await expectEachOnce();
  }

  it('are handled once and in order of their aggregate, whichever consumers and relays lose their connections or stop', async function () {
    this.timeout(propertyTimeoutMs);
    await Promise.all(served.map(async (_, index) => await startWorker(index)));
    await fc.assert(fc.asyncProperty(program, run), {
      ...propertyRuns({ test: 1, drill: 60 }),
      endOnFailure: true,
      plugins: [fc.interruptAfterTimeLimit(propertyTimeoutMs / 2, { failOnInterrupt: true })],
    });
    await Promise.all(workers.map((worker) => worker.stop()));
    await expectEachOnce();
  });
});

type Program = typeof program extends fc.Arbitrary<infer T> ? T : never;

function sorted(byAggregate: ReadonlyMap<string, number[]>): [string, number[]][] {
  return [...byAggregate].toSorted(([a], [b]) => a.localeCompare(b));
}
