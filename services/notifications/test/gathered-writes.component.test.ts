import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import type { ClaimedDelivery } from '../src/app/delivery-log.ts';
import { deliveryHarness } from './support/delivery-harness.ts';

const leaseMs = 10_000;
const sent = { state: 'sent', outcome: 'sent', detail: '250 taken', nextAttemptInMs: null } as const;

describe('Writes of several deliveries that share a statement', () => {
  const harness = deliveryHarness();

  async function claimTwo(): Promise<[ClaimedDelivery, ClaimedDelivery]> {
    for (let n = 0; n < 2; n++) await harness.notify('task.assigned');
    const [one, other] = await harness.log.claim('email', 2, leaseMs);
    return [one!, other!];
  }
  const state = async ({ notificationId }: ClaimedDelivery) => (await harness.delivery(notificationId)).state;

  it('change each delivery by its own lease', async () => {
    const [held, lost] = await claimTwo();
    const { log } = harness;
    const stolen = { ...lost, leaseId: held.leaseId };
    expect(await Promise.all([held, stolen].map((one) => log.beginSending(one, leaseMs)))).to.deep.equal([true, false]);
    expect([await state(held), await state(lost)]).to.deep.equal(['sending', 'pending']);
    expect(await Promise.all([held, stolen].map((one) => log.record(one, sent)))).to.deep.equal([true, false]);
    expect([await state(held), await state(lost)]).to.deep.equal(['sent', 'pending']);
    expect(await harness.outcomes(held.notificationId)).to.deep.equal(['sent']);
    expect(await harness.outcomes(lost.notificationId)).to.deep.equal([null]);
  });

  it('hold no lock while they wait for a locked delivery, so that they never deadlock with a transaction that plans mails', async () => {
    const [locked, free] = await claimTwo();
    const { log } = harness;
    const lock = 'SELECT FROM deliveries WHERE id = $1 FOR NO KEY UPDATE';
    const begun = await harness.database.db.transaction(async (tx) => {
      await query(tx, lock, [locked.id]);
      const results = Promise.all([locked, free].map((one) => log.beginSending(one, leaseMs)));
      await waitFor(async () => (await state(free)) === 'sending');
      await query(tx, lock, [free.id]);
      return { results };
    });
    expect(await begun.results).to.deep.equal([true, true]);
  });
});
