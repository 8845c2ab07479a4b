import { expect } from 'chai';
import fc from 'fast-check';
import { distribute, assignmentReason } from '../src/domain/fairness.ts';

describe('Distributing tasks', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 12 });

  it('assigns every task to one performer, with counts that differ by at most one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { maxLength: 60 }),
        names,
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (numbers, performers, draws) => {
          const tasks = numbers.map((number) => ({ number }));
          const shares = distribute(tasks, performers, () => draws.next().value as number);
          expect(shares.size).to.equal(tasks.length);
          const counts = performers.map((name) => [...shares.values()].filter((given) => given === name).length);
          expect(Math.max(...counts) - Math.min(...counts)).to.be.at.most(1);
        },
      ),
    );
  });

  it('assigns the remaining task to each performer equally often', () => {
    const performers = ['ann', 'ben', 'cas'];
    const lucky = Array.from({ length: 3000 }, () => distribute([{}], performers, Math.random).values().next().value);
    for (const name of performers) {
      // 1000 is expected, with a standard deviation of 26; a difference of six deviations occurs once in a hundred million runs
      expect(lucky.filter((given) => given === name).length).to.be.within(840, 1160);
    }
  });
});

describe('The reason of an assignment', () => {
  it('states how many performers tied, among how many, and whether chance decided', () => {
    const choice = { performer_id: 'ann', open_tasks: 1, performers: 5 };
    expect(assignmentReason({ ...choice, tied: 2 })).to.equal(
      'fewest open tasks (2 of 5 performers had 1), picked at random',
    );
    expect(assignmentReason({ ...choice, tied: 1 })).to.equal('fewest open tasks (1 of 5 performers had 1)');
    expect(assignmentReason({ ...choice, tied: 1, performers: 1 })).to.equal('the only performer');
  });
});
