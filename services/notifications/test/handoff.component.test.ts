import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { deliveryHarness } from './support/delivery-harness.ts';

describe('The handoff of an e-mail', () => {
  const room = deliveryHarness();
  const { loopAt, notify, delivery, outcomes, makeDue } = room;

  it('is not in the state "sending" before the server is ready to take the message', async () => {
    const id = await notify('task.assigned');
    room.smtp.follow({ data: 'silence' });
    const loop = loopAt(room.smtp.url);
    const stopping = loop.tick().catch(() => undefined);
    await waitFor(() => room.smtp.dataCommands() === 1);
    expect((await delivery(id)).state).to.equal('pending');
    await loop.stop();
    await stopping;
    // the stop cut it off: nothing was handed over, so it is simply due again
    expect(await delivery(id)).to.include({ state: 'pending' });
    expect(await outcomes(id)).to.deep.equal(['retry']);
    await loopAt(room.mail.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('has committed the state "sending" before the server can take the message', async () => {
    const id = await notify('task.assigned');
    const seen: string[] = [];
    room.smtp.follow({
      end: async () => {
        seen.push((await delivery(id)).state);
        return '250 taken';
      },
    });
    await loopAt(room.smtp.url).tick();
    expect(seen).to.deep.equal(['sending']);
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('waits with its stop for the answer to what was handed over', async () => {
    const id = await notify('task.assigned');
    const answer = Promise.withResolvers<string>();
    room.smtp.follow({ end: () => answer.promise });
    const loop = loopAt(room.smtp.url);
    await loop.start();
    await waitFor(() => room.smtp.arrived.length === 1);
    const stopped = loop.stop();
    answer.resolve('250 taken');
    await stopped;
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('leaves a task mail unknown, and does not double it, when the connection is cut before the answer', async () => {
    const id = await notify('task.assigned');
    room.smtp.follow({ end: () => 'cut' });
    const loop = loopAt(room.smtp.url);
    await loop.tick();
    const unknown = await delivery(id);
    expect(unknown).to.include({ state: 'unknown', next_attempt_at: null });
    room.smtp.follow({});
    await makeDue();
    await loop.tick();
    expect(room.smtp.arrived).to.have.length(1);
    expect(await outcomes(id)).to.deep.equal(['unknown']);
  });

  it('sends a mail about the account of unknown outcome once more, under the same Message-ID, and the log says so', async () => {
    const id = await notify('security.password_changed');
    room.smtp.follow({ end: () => 'cut' });
    const loop = loopAt(room.smtp.url);
    await loop.tick();
    expect((await delivery(id)).state).to.equal('unknown');
    await makeDue();
    await loop.tick();
    // the second unknown is the last
    expect(await delivery(id)).to.include({ state: 'unknown', next_attempt_at: null });
    await makeDue();
    await loop.tick();
    expect(room.smtp.arrived).to.have.length(2);
    for (const message of room.smtp.arrived) expect(message).to.include(`Message-ID: <${id}@taskwire.test>`);
    expect(await outcomes(id)).to.deep.equal(['unknown', 'unknown']);
  });

  it('counts as sent when the second try of a mail about the account is answered', async () => {
    const id = await notify('security.password_changed');
    room.smtp.follow({ end: (nth) => (nth === 1 ? 'cut' : '250 taken') });
    const loop = loopAt(room.smtp.url);
    await loop.tick();
    await makeDue();
    await loop.tick();
    expect((await delivery(id)).state).to.equal('sent');
    expect(await outcomes(id)).to.deep.equal(['unknown', 'sent']);
  });

  describe('when the process that had it is gone', () => {
    it('goes on with what was only claimed, without a doubt', async () => {
      const id = await notify('task.assigned');
      await room.log.claim('email', 1, 15_000);
      const loop = loopAt(room.smtp.url);
      await loop.tick();
      // the claim still holds
      expect(room.smtp.arrived).to.have.length(0);
      await makeDue();
      await loop.tick();
      expect((await delivery(id)).state).to.equal('sent');
      expect(await outcomes(id)).to.deep.equal(['abandoned', 'sent']);
    });

    it('calls what was being sent unknown', async () => {
      const id = await notify('task.assigned');
      const [claimed] = await room.log.claim('email', 1, 15_000);
      expect(await room.log.beginSending(claimed!, 90_000)).to.equal(true);
      const loop = loopAt(room.smtp.url);
      await loop.tick();
      expect((await delivery(id)).state).to.equal('sending');
      await makeDue();
      await loop.tick();
      expect(await delivery(id)).to.include({ state: 'unknown', next_attempt_at: null });
      expect(await outcomes(id)).to.deep.equal(['unknown']);
      expect(room.smtp.arrived).to.have.length(0);
    });

    it('takes its late answer, as long as nobody else has the delivery', async () => {
      const id = await notify('task.assigned');
      const [claimed] = await room.log.claim('email', 1, 15_000);
      await room.log.beginSending(claimed!, 90_000);
      await makeDue();
      expect(await room.log.markLost('email', 60_000)).to.equal(1);
      await room.log.record(claimed!, { state: 'sent', outcome: 'sent', detail: '250 taken', nextAttemptInMs: null });
      expect((await delivery(id)).state).to.equal('sent');
    });

    it('lets a worker that lost its claim neither hand over nor record', async () => {
      const id = await notify('task.assigned');
      const [first] = await room.log.claim('email', 1, 15_000);
      await makeDue();
      const [second] = await room.log.claim('email', 1, 15_000);
      expect(second!.id).to.equal(first!.id);
      expect(await room.log.beginSending(first!, 90_000)).to.equal(false);
      expect(
        await room.log.record(first!, { state: 'failed', outcome: 'refused', detail: 'late', nextAttemptInMs: null }),
      ).to.equal(false);
      expect((await delivery(id)).state).to.equal('pending');
    });
  });

  it('lets two workers share the work without sending anything twice', async () => {
    const ids = [];
    for (let n = 0; n < 20; n++) ids.push(await notify('task.assigned'));
    const workers = [loopAt(room.smtp.url), loopAt(room.smtp.url)];
    await Promise.all(
      workers.map(async (worker) => {
        while ((await worker.tick()) === 'more');
      }),
    );
    expect(room.smtp.arrived).to.have.length(20);
    for (const id of ids) expect((await delivery(id)).state).to.equal('sent');
  });

  it('never hands over after another worker has taken the delivery', async () => {
    const id = await notify('task.assigned');
    room.smtp.follow({ data: 'silence' });
    const slow = loopAt(room.smtp.url);
    const slowTick = slow.tick().catch(() => undefined);
    await waitFor(() => room.smtp.dataCommands() === 1);
    await makeDue();
    await loopAt(room.mail.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
    await slow.stop();
    await slowTick;
    expect(room.smtp.arrived).to.have.length(0);
    expect((await delivery(id)).state).to.equal('sent');
    expect(await outcomes(id)).to.deep.equal(['abandoned', 'sent']);
  });
});
