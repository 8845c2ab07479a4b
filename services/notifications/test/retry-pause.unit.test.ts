import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { recordedAttempt } from '../src/app/deliver.ts';
import type { ClaimedDelivery } from '../src/app/delivery-log.ts';

const claimed: ClaimedDelivery = {
  ...{ id: randomUUIDv7(), notificationId: randomUUIDv7(), userId: randomUUIDv7(), actorId: null },
  ...{ eventId: randomUUIDv7(), taskId: null },
  ...{ type: 'user.welcome', templateData: { task: null, actor: null, recipient: 'Ann' }, attempt: 1 },
  ...{
    leaseId: randomUUIDv7(),
    createdAt: Date.now(),
    unknownOutcomes: 0,
    retries: 0,
    isSuperseded: false,
    deliveryPolicy: 'resend_once',
    headers: null,
  },
};

describe('The delay before a delivery is retried', () => {
  const nextAttemptInMs = (afterMs: number) =>
    recordedAttempt(claimed, { kind: 'retry', detail: 'Auth is unavailable', afterMs }).nextAttemptInMs;

  it('is what the other service requests, but at most ten minutes', () => {
    expect(nextAttemptInMs(30_000)).to.equal(30_000);
    expect(nextAttemptInMs(365 * 24 * 3_600_000)).to.equal(600_000);
  });

  it('grows with earlier retries, and not with attempts while the channel was unavailable', () => {
    const deferred = { kind: 'retry', detail: '451 try later' } as const;
    const longest = (delivery: ClaimedDelivery) =>
      Math.max(...Array.from({ length: 200 }, () => recordedAttempt(delivery, deferred).nextAttemptInMs ?? 0));
    expect(longest({ ...claimed, attempt: 100 })).to.be.at.most(5_000);
    expect(longest({ ...claimed, attempt: 100, retries: 6 })).to.be.within(100_000, 320_000);
  });
});
