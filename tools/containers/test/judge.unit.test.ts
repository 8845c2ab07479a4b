import { expect } from 'chai';
import { judge } from '../judge.ts';
import { tooLittle, victimOf } from '../kills.ts';

const wanted = [
  { title: 'one', assigneeId: 'ann', acknowledgedId: 'task-1' },
  { title: 'two', assigneeId: 'ben', acknowledgedId: undefined },
];
const one = { id: 'task-1', title: 'one', assigneeId: 'ann' };
const two = { id: 'task-2', title: 'two', assigneeId: 'ben' };
const oneNotified = { userId: 'ann', taskId: 'task-1' };
const twoNotified = { userId: 'ben', taskId: 'task-2' };

describe('The judgement of the end state after kills', () => {
  it('accepts acknowledged tasks that exist once, each with one notification', () => {
    expect(judge({ wanted, found: [one], notified: [oneNotified] })).to.deep.equal([]);
    expect(judge({ wanted, found: [one, two], notified: [oneNotified, twoNotified] })).to.deep.equal([]);
  });

  it('ignores tasks that the traffic did not create', () => {
    const other = { id: 'task-9', title: 'other', assigneeId: undefined };
    expect(judge({ wanted, found: [one, other], notified: [oneNotified] })).to.deep.equal([]);
  });

  it('finds each way in which a guarantee can be broken', () => {
    const broken: [Omit<Parameters<typeof judge>[0], 'wanted'>, string][] = [
      [{ found: [], notified: [] }, 'one was acknowledged and does not exist'],
      [{ found: [{ ...one, id: 'task-3' }], notified: [{ ...oneNotified, taskId: 'task-3' }] }, 'one was acknowledged'],
      [{ found: [one, { ...one, id: 'task-3' }], notified: [oneNotified] }, 'one exists 2 times'],
      [{ found: [one], notified: [] }, 'one has 0 notifications'],
      [{ found: [one], notified: [oneNotified, oneNotified] }, 'one has 2 notifications'],
      [{ found: [one], notified: [{ ...oneNotified, userId: 'ben' }] }, 'one notified another user'],
      [{ found: [{ ...one, assigneeId: 'ben' }], notified: [oneNotified] }, 'one is assigned to another user'],
      [{ found: [one, two, { ...two, id: 'task-4' }], notified: [oneNotified, twoNotified] }, 'two exists 2 times'],
    ];
    for (const [state, text] of broken) expect(judge({ wanted, ...state }).join(), text).to.contain(text);
  });
});

describe('The kills', () => {
  it('hit every container, in the same order for the same seed', () => {
    const order = Array.from({ length: 60 }, (_, n) => victimOf('seed', n));
    expect(new Set(order).size).to.equal(6);
    expect(order).to.deep.equal(Array.from({ length: 60 }, (_, n) => victimOf('seed', n)));
    expect(order).not.to.deep.equal(Array.from({ length: 60 }, (_, n) => victimOf('other', n)));
  });

  it('do not pass if there were none, or most requests had no response', () => {
    expect(tooLittle({ wanted: wanted.slice(0, 1), kills: 3 })).to.deep.equal([]);
    expect(tooLittle({ wanted, kills: 0 })).to.have.length(1);
    expect(tooLittle({ wanted: wanted.slice(1), kills: 3 })).to.have.length(1);
  });
});
