import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { deliveryHarness } from './support/delivery-harness.ts';

describe('The handoff of an e-mail', () => {
  const harness = deliveryHarness();
  const { loopAt, notify, delivery, outcomes, makeDue } = harness;

  it('does not commit the state "sending" before the server is ready to receive the message', async () => {
    const id = await notify('task.assigned');
    harness.smtp.follow({ data: 'silence' });
    const loop = loopAt(harness.smtp.url);
    const stopping = loop.tick().catch(() => undefined);
    await waitFor(() => harness.smtp.dataCommands() === 1);
    expect((await delivery(id)).state).to.equal('pending');
    await loop.stop();
    await stopping;
    // interrupted by the stop: nothing was handed off, so it is due again
    expect(await delivery(id)).to.include({ state: 'pending' });
    expect(await outcomes(id)).to.deep.equal(['retry']);
    await loopAt(harness.mail.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('commits the state "sending" before the server can accept the message', async () => {
    const id = await notify('task.assigned');
    const seen: string[] = [];
    harness.smtp.follow({
      end: async () => {
        seen.push((await delivery(id)).state);
        return '250 taken';
      },
    });
    await loopAt(harness.smtp.url).tick();
    expect(seen).to.deep.equal(['sending']);
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('delays the stop of the process until the response to a handed-off message has arrived', async () => {
    const id = await notify('task.assigned');
    const answer = Promise.withResolvers<string>();
    harness.smtp.follow({ end: () => answer.promise });
    const loop = loopAt(harness.smtp.url);
    await loop.start();
    await waitFor(() => harness.smtp.arrived.length === 1);
    const stopped = loop.stop();
    answer.resolve('250 taken');
    await stopped;
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('leaves a task mail unknown, and does not resend it, if the connection breaks before the response', async () => {
    const id = await notify('task.assigned');
    harness.smtp.follow({ end: () => 'cut' });
    const loop = loopAt(harness.smtp.url);
    await loop.tick();
    const unknown = await delivery(id);
    expect(unknown).to.include({ state: 'unknown', next_attempt_at: null });
    harness.smtp.follow({});
    await makeDue();
    await loop.tick();
    expect(harness.smtp.arrived).to.have.length(1);
    expect(await outcomes(id)).to.deep.equal(['unknown']);
  });

  it('resends an account mail of unknown outcome once, under the same Message-ID, and logs both attempts', async () => {
    const id = await notify('security.password_changed');
    harness.smtp.follow({ end: () => 'cut' });
    const loop = loopAt(harness.smtp.url);
    await loop.tick();
    expect((await delivery(id)).state).to.equal('unknown');
    await makeDue();
    await loop.tick();
    // no attempt follows the second unknown outcome
    expect(await delivery(id)).to.include({ state: 'unknown', next_attempt_at: null });
    await makeDue();
    await loop.tick();
    expect(harness.smtp.arrived).to.have.length(2);
    for (const message of harness.smtp.arrived) expect(message).to.include(`Message-ID: <${id}@taskwire.test>`);
    expect(await outcomes(id)).to.deep.equal(['unknown', 'unknown']);
  });

  it('counts an account mail as sent once its second attempt gets a response', async () => {
    const id = await notify('security.password_changed');
    harness.smtp.follow({ end: (nth) => (nth === 1 ? 'cut' : '250 taken') });
    const loop = loopAt(harness.smtp.url);
    await loop.tick();
    await makeDue();
    await loop.tick();
    expect((await delivery(id)).state).to.equal('sent');
    expect(await outcomes(id)).to.deep.equal(['unknown', 'sent']);
  });

  describe('after the death of its process', () => {
    it('retries a delivery that was only claimed, without an unknown outcome', async () => {
      const id = await notify('task.assigned');
      await harness.log.claim('email', 1, 15_000);
      const loop = loopAt(harness.smtp.url);
      await loop.tick();
      // the lease has not expired yet
      expect(harness.smtp.arrived).to.have.length(0);
      await makeDue();
      await loop.tick();
      expect((await delivery(id)).state).to.equal('sent');
      expect(await outcomes(id)).to.deep.equal(['abandoned', 'sent']);
    });

    it('marks a delivery that was being sent as unknown', async () => {
      const id = await notify('task.assigned');
      const [claimed] = await harness.log.claim('email', 1, 15_000);
      expect(await harness.log.beginSending(claimed!, 90_000)).to.equal(true);
      const loop = loopAt(harness.smtp.url);
      await loop.tick();
      expect((await delivery(id)).state).to.equal('sending');
      await makeDue();
      await loop.tick();
      expect(await delivery(id)).to.include({ state: 'unknown', next_attempt_at: null });
      expect(await outcomes(id)).to.deep.equal(['unknown']);
      expect(harness.smtp.arrived).to.have.length(0);
    });

    it('accepts a late response, as long as no other worker has claimed the delivery', async () => {
      const id = await notify('task.assigned');
      const [claimed] = await harness.log.claim('email', 1, 15_000);
      await harness.log.beginSending(claimed!, 90_000);
      await makeDue();
      const lost = await harness.log.markLost('email', 60_000);
      expect(lost.map(({ notificationId }) => notificationId)).to.deep.equal([id]);
      await harness.log.record(claimed!, {
        state: 'sent',
        outcome: 'sent',
        detail: '250 taken',
        nextAttemptInMs: null,
      });
      expect((await delivery(id)).state).to.equal('sent');
    });

    it('prevents a worker that lost its lease from handing off a mail or recording its outcome', async () => {
      const id = await notify('task.assigned');
      const [first] = await harness.log.claim('email', 1, 15_000);
      await makeDue();
      const [second] = await harness.log.claim('email', 1, 15_000);
      expect(second!.id).to.equal(first!.id);
      expect(await harness.log.beginSending(first!, 90_000)).to.equal(false);
      expect(
        await harness.log.record(first!, {
          state: 'failed',
          outcome: 'refused',
          detail: 'late',
          nextAttemptInMs: null,
        }),
      ).to.equal(false);
      expect((await delivery(id)).state).to.equal('pending');
    });
  });

  it('lets two workers share the work without sending anything twice', async () => {
    const ids = [];
    for (let n = 0; n < 20; n++) ids.push(await notify('task.assigned'));
    const workers = [loopAt(harness.smtp.url), loopAt(harness.smtp.url)];
    await Promise.all(
      workers.map(async (worker) => {
        while ((await worker.tick()) === 'more');
      }),
    );
    expect(harness.smtp.arrived).to.have.length(20);
    for (const id of ids) expect((await delivery(id)).state).to.equal('sent');
  });

  it('never hands off after another worker has claimed the delivery', async () => {
    const id = await notify('task.assigned');
    harness.smtp.follow({ data: 'silence' });
    const slow = loopAt(harness.smtp.url);
    const slowTick = slow.tick().catch(() => undefined);
    await waitFor(() => harness.smtp.dataCommands() === 1);
    await makeDue();
    await loopAt(harness.mail.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
    await slow.stop();
    await slowTick;
    expect(harness.smtp.arrived).to.have.length(0);
    expect((await delivery(id)).state).to.equal('sent');
    expect(await outcomes(id)).to.deep.equal(['abandoned', 'sent']);
  });
});
