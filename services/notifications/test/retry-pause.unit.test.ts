import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { recordOf } from '../src/app/deliver.ts';
import type { Claimed } from '../src/app/delivery-log.ts';

const claimed: Claimed = {
  ...{ id: randomUUIDv7(), notificationId: randomUUIDv7(), userId: randomUUIDv7(), actorId: null },
  ...{ type: 'user.welcome', facts: { task: null, actor: null, recipient: 'Ann' }, attempt: 1 },
  ...{ claim: randomUUIDv7(), createdAt: Date.now(), unknowns: 0, isSuperseded: false, class: 'security' },
};

describe('The pause before a delivery is tried again', () => {
  const dueInMs = (afterMs: number) => recordOf(claimed, { kind: 'again', detail: 'Auth is away', afterMs }).dueInMs;

  it('is what the other side asks for, but ten minutes at most', () => {
    expect(dueInMs(30_000)).to.equal(30_000);
    expect(dueInMs(365 * 24 * 3_600_000)).to.equal(600_000);
  });
});
