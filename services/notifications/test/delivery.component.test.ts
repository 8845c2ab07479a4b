import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import { writeNotifications } from '../src/postgres/notifications.ts';
import { deliveryHarness } from './support/delivery-harness.ts';

describe('Delivery by e-mail', () => {
  const room = deliveryHarness();
  const { loopAt, notify, delivery, outcomes, makeDue } = room;

  it('sends text and HTML to the address of the directory, under the id of the notification', async () => {
    const id = await notify('task.assigned');
    await loopAt(room.mail.url).tick();
    const sent = await room.mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
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

  it('says in the headers that a machine wrote it', async () => {
    await notify('task.assigned');
    await loopAt(room.smtp.url).tick();
    const [message] = room.smtp.arrived;
    expect(message).to.match(/^Auto-Submitted: auto-generated$/im);
    expect(message).to.match(/^List-Id: Taskwire notifications <notifications\.taskwire\.test>$/im);
    expect(message).to.match(/^Date: /im);
  });

  it('keeps a hostile title out of the headers and the HTML', async () => {
    const title = '<script>alert(1)</script>\r\nBcc: everybody@taskwire.test\r\n\r\nHello';
    const id = await notify('task.assigned', { title });
    await loopAt(room.mail.url).tick();
    const sent = await room.mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
    expect(sent.to).to.deep.equal(['ann@taskwire.test']);
    expect(sent.subject).to.include('<script>alert(1)</script> Bcc: everybody[@]taskwire[.]test Hello');
    expect(sent.html).to.include('&lt;script&gt;').and.not.to.include('<script');
  });

  it('makes one notification with its deliveries of one event and person, however many write it at the same time', async () => {
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
        await room.database.db.transaction(async (tx) => await writeNotifications(tx, [room.buildNotification(about)]));
      }),
    );
    const rows = await query<{ channel: string; state: string }>(
      room.database.db.pool,
      'SELECT channel, state FROM deliveries ORDER BY channel',
    );
    expect(rows).to.deep.equal([
      { channel: 'email', state: 'pending' },
      { channel: 'in_app', state: 'sent' },
    ]);
    expect(await query(room.database.db.pool, 'SELECT 1 FROM notifications')).to.have.length(1);
  });

  it('does not mail what is for the app alone', async () => {
    const id = await notify('task.started');
    expect(await delivery(id)).to.equal(undefined);
  });

  it('waits while SMTP is away, gives nothing up, and sends once it is back', async () => {
    const ids = [await notify('task.assigned'), await notify('task.completed')];
    const away = loopAt('smtp://127.0.0.1:1');
    for (let round = 0; round < 3; round++) {
      const error = await away.tick().then(
        () => undefined,
        (reason: Error) => reason.message,
      );
      expect(error).to.equal('email is away');
    }
    for (const id of ids) expect((await delivery(id)).state).to.equal('pending');
    // after the first round it only probes
    const attempts = (await Promise.all(ids.map(outcomes))).flat();
    expect(attempts).to.deep.equal([
      'channel_unavailable',
      'channel_unavailable',
      'channel_unavailable',
      'channel_unavailable',
    ]);
    await loopAt(room.mail.url).tick();
    for (const id of ids) expect((await delivery(id)).state).to.equal('sent');
  });

  it('is calm when it was away and there is nothing left to try', async () => {
    await notify('task.assigned');
    const loop = loopAt('smtp://127.0.0.1:1');
    await loop.tick().catch(() => undefined);
    await query(room.database.db.pool, 'TRUNCATE notifications CASCADE');
    expect(await loop.tick()).to.equal('idle');
  });

  it('does not try unseen: one attempt is one try', async () => {
    const id = await notify('task.assigned');
    room.smtp.follow({ greeting: 'cut' });
    const loop = loopAt(room.smtp.url);
    await loop.tick().catch(() => undefined);
    expect(await outcomes(id)).to.deep.equal(['channel_unavailable']);
    expect(room.smtp.connections()).to.equal(1);
  });

  it('waits when the server will not have us: the greeting or the log-in is refused', async () => {
    const id = await notify('task.assigned');
    room.smtp.follow({ greeting: '554 not you' });
    await loopAt(room.smtp.url)
      .tick()
      .catch(() => undefined);
    expect((await delivery(id)).state).to.equal('pending');
    expect(await outcomes(id)).to.deep.equal(['channel_unavailable']);
  });

  it('tries again after a 4xx, later each time, under the same Message-ID', async () => {
    const id = await notify('task.assigned');
    room.smtp.follow({ rcpt: '450 greylisted' });
    await loopAt(room.smtp.url).tick();
    const waiting = await delivery(id);
    expect(waiting.state).to.equal('pending');
    expect(waiting.last_error).to.include('450 greylisted');
    room.smtp.follow({ end: (nth) => (nth === 1 ? '451 try later' : '250 taken') });
    await makeDue();
    const loop = loopAt(room.smtp.url);
    await loop.tick();
    await makeDue();
    await loop.tick();
    expect(await outcomes(id)).to.deep.equal(['retry', 'retry', 'sent']);
    for (const message of room.smtp.arrived) expect(message).to.include(`Message-ID: <${id}@taskwire.test>`);
  });

  it('gives up after a 5xx, and says why', async () => {
    const id = await notify('task.assigned');
    room.smtp.follow({ rcpt: '550 no such mailbox' });
    await loopAt(room.smtp.url).tick();
    const failed = await delivery(id);
    expect(failed.state).to.equal('failed');
    expect(failed.last_error).to.include('550 no such mailbox');
    expect(await outcomes(id)).to.deep.equal(['refused']);
  });

  it('does not mail a user who was deleted in the meantime', async () => {
    const id = await notify('task.assigned');
    room.person = { kind: 'deleted', name: 'Ann', email: 'ann@taskwire.test', isEmailVerified: true };
    await loopAt(room.smtp.url).tick();
    const failed = await delivery(id);
    expect(failed).to.include({ state: 'failed', last_error: 'the user was deleted' });
    expect(room.smtp.dataCommands()).to.equal(0);
  });

  it('waits as long as Auth asks when the address is not known and Auth is away', async () => {
    const id = await notify('task.assigned');
    room.person = { kind: 'unavailable', detail: 'auth failed too often', retryAfterMs: 60_000 };
    await loopAt(room.smtp.url).tick();
    const waiting = await delivery(id);
    expect(waiting.state).to.equal('pending');
    expect(waiting.next_attempt_at!.getTime() - Date.now()).to.be.within(50_000, 61_000);
  });
});
