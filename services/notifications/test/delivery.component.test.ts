import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { writeNotifications } from '../src/postgres/notifications.ts';
import { deliveryHarness } from './support/delivery-harness.ts';

describe('Delivery by e-mail', () => {
  const harness = deliveryHarness();
  const { loopAt, notify, delivery, outcomes, makeDue } = harness;

  it("sends text and HTML to the directory's address, with the notification's id as Message-ID", async () => {
    const id = await notify('task.assigned');
    await loopAt(harness.mail.url).tick();
    const sent = await harness.mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
    expect(sent.to).to.deep.equal(['ann@taskwire.test']);
    expect(sent.from).to.equal('"Taskwire" <no-reply@taskwire.test>');
    expect(sent.subject).to.equal('Assigned to you: “Paint the fence”');
    expect(sent.text).to.include('Mia assigned “Paint the fence” to you.');
    expect(sent.html).to.include(
      '<p><bdi dir="auto">Mia</bdi> assigned “<bdi dir="auto">Paint the fence</bdi>” to you.</p>',
    );
    expect((await delivery(id)).state).to.equal('sent');
    expect(await outcomes(id)).to.deep.equal(['sent']);
  });

  it('marks mails as automatically generated in their headers', async () => {
    await notify('task.assigned');
    await loopAt(harness.smtp.url).tick();
    const [message] = harness.smtp.arrived;
    expect(message).to.match(/^Auto-Submitted: auto-generated$/im);
    expect(message).to.match(/^List-Id: Taskwire notifications <notifications\.taskwire\.test>$/im);
    expect(message).to.match(/^Date: /im);
  });

  it('keeps a hostile title out of the headers and the HTML', async () => {
    const title = '<script>alert(1)</script>\r\nBcc: victim@taskwire.test\r\n\r\nHello';
    const id = await notify('task.assigned', { title });
    await loopAt(harness.mail.url).tick();
    const sent = await harness.mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
    expect(sent.to).to.deep.equal(['ann@taskwire.test']);
    expect(sent.subject).to.include('<script>alert(1)</script> Bcc: victim[@]taskwire[.]test Hello');
    expect(sent.html).to.include('&lt;script&gt;').and.not.to.include('<script');
  });

  it('writes one notification with its deliveries per event and user, however many workers write it concurrently', async () => {
    const templateData = { task: null, actor: null, recipient: 'Ann' };
    const about = {
      eventId: randomUUIDv7(),
      userId: randomUUIDv7(),
      type: 'task.assigned',
      actorId: null,
      templateData,
    } as const;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        await harness.database.db.transaction(
          async (tx) => await writeNotifications(tx, [harness.buildNotification(about)]),
        );
      }),
    );
    const rows = await query<{ channel: string; state: string }>(
      harness.database.db.pool,
      'SELECT channel, state FROM deliveries ORDER BY channel',
    );
    expect(rows).to.deep.equal([
      { channel: 'email', state: 'pending' },
      { channel: 'in_app', state: 'sent' },
    ]);
    expect(await query(harness.database.db.pool, 'SELECT 1 FROM notifications')).to.have.length(1);
  });

  it('leaves a type that is newer than this build to a later attempt', async () => {
    const id = await notify('task.assigned');
    await query(harness.database.db.pool, `UPDATE notifications SET type = 'task.newer' WHERE id = $1`, [id]);
    harness.taskNow = async () => ({
      now: { kind: 'task', title: 'Paint the fence', state: 'assigned', assigneeId: null, readers: null },
      uncertainty: null,
    });
    await loopAt(harness.smtp.url).tick();
    expect(await outcomes(id)).to.deep.equal(['retry']);
    expect((await delivery(id)).state).to.equal('pending');
    expect(harness.smtp.arrived).to.deep.equal([]);
  });

  it('does not mail notifications that are only for the app', async () => {
    const id = await notify('task.started');
    expect(await delivery(id)).to.equal(undefined);
  });

  it('waits while SMTP is unavailable, fails no delivery, and sends all once it is back', async () => {
    const ids = [await notify('task.assigned'), await notify('task.completed')];
    const unavailable = loopAt('smtp://127.0.0.1:1');
    for (let round = 0; round < 3; round++) {
      const error = await unavailable.tick().then(
        () => undefined,
        (reason: Error) => reason.message,
      );
      expect(error).to.equal('email is unavailable');
    }
    for (const id of ids) expect((await delivery(id)).state).to.equal('pending');
    // after the first failure it only probes
    const attempts = (await Promise.all(ids.map(outcomes))).flat();
    expect(attempts).to.deep.equal([
      'channel_unavailable',
      'channel_unavailable',
      'channel_unavailable',
      'channel_unavailable',
    ]);
    await loopAt(harness.mail.url).tick();
    for (const id of ids) expect((await delivery(id)).state).to.equal('sent');
  });

  it('lets a silent server occupy only the place of its own attempt, while the other places send', async () => {
    const silence = Promise.withResolvers<string>();
    harness.smtp.follow({ end: (nth) => (nth === 1 ? silence.promise : '250 taken') });
    const silent = await notify('task.assigned');
    const loop = loopAt(harness.smtp.url);
    await loop.start();
    try {
      await waitFor(() => harness.smtp.arrived.length === 1);
      // enough mails for more than two rounds of the remaining slots
      const others: string[] = [];
      for (let n = 0; n < 8; n++) others.push(await notify('task.assigned'));
      loop.wake();
      const states = async () => await Promise.all(others.map(async (id) => (await delivery(id)).state));
      await waitFor(async () => (await states()).every((state) => state === 'sent'));
      expect((await delivery(silent)).state).to.equal('sending');
      silence.resolve('250 taken');
      await waitFor(async () => (await delivery(silent)).state === 'sent');
    } finally {
      silence.resolve('250 taken');
      await loop.stop();
    }
  });

  it('reports no failure after an outage when nothing is left to send', async () => {
    await notify('task.assigned');
    const loop = loopAt('smtp://127.0.0.1:1');
    await loop.tick().catch(() => undefined);
    await query(harness.database.db.pool, 'TRUNCATE notifications CASCADE');
    expect(await loop.tick()).to.equal('idle');
  });

  it('makes one SMTP attempt per logged attempt', async () => {
    const id = await notify('task.assigned');
    harness.smtp.follow({ greeting: 'cut' });
    const loop = loopAt(harness.smtp.url);
    await loop.tick().catch(() => undefined);
    expect(await outcomes(id)).to.deep.equal(['channel_unavailable']);
    expect(harness.smtp.connections()).to.equal(1);
  });

  it('waits while the server refuses the greeting or the log-in', async () => {
    const id = await notify('task.assigned');
    harness.smtp.follow({ greeting: '554 not you' });
    await loopAt(harness.smtp.url)
      .tick()
      .catch(() => undefined);
    expect((await delivery(id)).state).to.equal('pending');
    expect(await outcomes(id)).to.deep.equal(['channel_unavailable']);
  });

  it('retries after a 4xx, with growing pauses and the same Message-ID', async () => {
    const id = await notify('task.assigned');
    harness.smtp.follow({ rcpt: '450 greylisted' });
    await loopAt(harness.smtp.url).tick();
    const waiting = await delivery(id);
    expect(waiting.state).to.equal('pending');
    expect(waiting.last_error).to.include('450 greylisted');
    harness.smtp.follow({ end: (nth) => (nth === 1 ? '451 try later' : '250 taken') });
    await makeDue();
    const loop = loopAt(harness.smtp.url);
    await loop.tick();
    await makeDue();
    await loop.tick();
    expect(await outcomes(id)).to.deep.equal(['retry', 'retry', 'sent']);
    for (const message of harness.smtp.arrived) expect(message).to.include(`Message-ID: <${id}@taskwire.test>`);
  });

  it('fails after a 5xx, with the reason', async () => {
    const id = await notify('task.assigned');
    harness.smtp.follow({ rcpt: '550 no such mailbox' });
    await loopAt(harness.smtp.url).tick();
    const failed = await delivery(id);
    expect(failed.state).to.equal('failed');
    expect(failed.last_error).to.include('550 no such mailbox');
    expect(await outcomes(id)).to.deep.equal(['refused']);
  });

  it('does not mail a user who has since been deleted', async () => {
    const id = await notify('task.assigned');
    harness.user = { kind: 'deleted', name: 'Ann', email: 'ann@taskwire.test', isEmailVerified: true };
    await loopAt(harness.smtp.url).tick();
    const failed = await delivery(id);
    expect(failed).to.include({ state: 'failed', last_error: 'the user was deleted' });
    expect(harness.smtp.dataCommands()).to.equal(0);
  });

  it('waits as long as Auth requests while the address is unknown and Auth is unavailable', async () => {
    const id = await notify('task.assigned');
    harness.user = { kind: 'unavailable', reason: 'network', detail: 'auth failed too often', retryAfterMs: 60_000 };
    await loopAt(harness.smtp.url).tick();
    const waiting = await delivery(id);
    expect(waiting.state).to.equal('pending');
    expect(waiting.next_attempt_at!.getTime() - Date.now()).to.be.within(50_000, 61_000);
  });
});
