import { expect } from 'chai';
import { createRandom } from '../../random.ts';
import { calmEndMs, isWorkerFault, planWorkerFaults } from '../../worker-faults.ts';

const minute = 60_000;
const plan = (seed: string, minutes: number) => planWorkerFaults(createRandom(seed), minutes * minute);
const kinds = (seed: string, minutes: number) => plan(seed, minutes).map(({ fault }) => fault.kind);

describe('the faults of worker processes', () => {
  it('are the same for the same seed, and those of a shorter run come first', () => {
    expect(plan('a', 5)).deep.equal(plan('a', 5));
    expect(plan('a', 5)).not.deep.equal(plan('b', 5));
    expect(plan('a', 10).slice(0, plan('a', 2).length)).deep.equal(plan('a', 2));
  });

  it('include a kill and a cut in each run of a minute, and each kind in one of two minutes', () => {
    for (const seed of ['a', 'b', 'c', 'd', 'e']) {
      expect(kinds(seed, 1)).include.members(['kill_worker_process', 'cut_worker_process']);
      expect(new Set(kinds(seed, 2))).lengthOf(3);
    }
  });

  it('disturb one process after the other, and none towards the end', () => {
    for (const seed of ['a', 'b', 'c']) {
      const planned = plan(seed, 3);
      expect(planned.at(-1)!.at).below(3 * minute - calmEndMs);
      expect(planned.every(({ fault }) => isWorkerFault(fault))).equal(true);
      const workers = planned.map(({ fault }) => fault.worker);
      expect(workers.slice(0, 4)).deep.equal([1, 2, 1, 2]);
    }
  });
});
