import { expect } from 'chai';
import { createRandom } from '../random.ts';
import { faultLabel, planFaults } from '../schedule.ts';

const minute = 60_000;
const plan = (seed: string, minutes: number, replicas: 1 | 2 = 2) =>
  planFaults(createRandom(seed), minutes * minute, replicas);

describe('the schedule of faults', () => {
  it('is the same for the same seed, and different for another', () => {
    expect(plan('a', 5)).deep.equal(plan('a', 5));
    expect(plan('a', 5)).not.deep.equal(plan('b', 5));
  });

  it('begins with the same faults, however long the run is', () => {
    const short = plan('a', 1);
    expect(plan('a', 10).slice(0, short.length)).deep.equal(short);
  });

  it('has every kind of fault within the time that two decks take, for any seed', () => {
    const kinds = new Set(plan('any', 60).map(({ fault }) => faultLabel(fault)));
    for (const seed of ['a', 'b', 'c', 'd'])
      expect(new Set(plan(seed, 5).map(({ fault }) => faultLabel(fault)))).deep.equal(kinds);
  });

  it('begins with a takeover of each service, while nothing else is broken', () => {
    for (const seed of ['a', 'b', 'c', 'd']) {
      const first = plan(seed, 2).slice(0, 4);
      const of = first.map(({ fault }) => fault.kind === 'takeover' && fault.of);
      expect(of.slice(0, 3).toSorted()).deep.equal(['auth', 'notifications', 'tasks']);
      first.slice(1).forEach(({ at }, index) => expect(at - first[index]!.at).least(6_000));
    }
  });

  it('kills no second process if there is only one', () => {
    expect(JSON.stringify(plan('a', 10, 1))).not.match(/second|takeover/);
    expect(JSON.stringify(plan('a', 10, 2))).match(/second/);
  });

  it('has no faults in the last seconds', () => {
    for (const seed of ['a', 'b', 'c', 'd']) expect(plan(seed, 2).at(-1)?.at).below(2 * minute - 5_000);
  });
});

describe('the random numbers', () => {
  it('are the same for the same seed on every machine', () => {
    const random = createRandom('taskwire');
    expect([random.between(1, 1000), random.between(1, 1000), random.between(1, 1000)]).deep.equal([267, 74, 115]);
  });

  it('of a fork are independent of draws from its origin', () => {
    const [one, other] = [createRandom('a'), createRandom('a')];
    one.next();
    expect(one.fork('x').next()).equal(other.fork('x').next());
  });

  it('spread evenly', () => {
    const random = createRandom('even');
    const counts = new Map<number, number>();
    for (let i = 0; i < 10_000; i++) {
      const drawn = random.between(1, 10);
      counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
    }
    expect([...counts.keys()].toSorted((a, b) => a - b)).deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const count of counts.values()) expect(count).within(850, 1_150);
  });
});
