import { randomUUID, randomUUIDv7 } from 'node:crypto';
import { silent, testDatabase, testMail, waitFor, type TestDatabase, type TestMail } from '@taskwire/testing';
import { createTelemetry } from '@taskwire/telemetry';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import { composer } from '../src/app/compose.ts';
import { deliveryLoop } from '../src/app/deliver.ts';
import type { NotificationType } from '../src/app/notification-types.ts';
import type { FindPerson } from '../src/app/ports.ts';
import { email } from '../src/channels/email.ts';
import { inApp } from '../src/channels/in-app.ts';
import { deliveryLog } from '../src/postgres/deliveries.ts';
import { writeNotifications } from '../src/postgres/notifications.ts';
import { templates } from '../src/app/templates/templates.ts';
import { scriptedSmtp, type ScriptedSmtp } from './support/scripted-smtp.ts';

const source = { name: 'notifications', directory: new URL('../migrations/', import.meta.url) };
const { logger } = createTelemetry({ service: 'test', stream: silent() });

describe('Delivery by e-mail', () => {
  let database: TestDatabase;
  let smtp: ScriptedSmtp;
  let mail: TestMail;
  const closing: (() => void)[] = [];
  let person: Awaited<ReturnType<FindPerson>>;

  before(async () => {
    database = await testDatabase([source]);
    mail = await testMail();
  });
  after(async () => {
    await mail.stop();
    await database.drop();
  });
  beforeEach(async () => {
    smtp = await scriptedSmtp();
    person = { kind: 'person', id: randomUUIDv7(), name: 'Ann', email: 'ann@taskwire.test' };
    await query(database.db.pool, 'TRUNCATE notifications CASCADE');
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    await smtp.stop();
  });

  function channelAt(smtpUrl: string) {
    const channel = email({
      smtpUrl,
      from: 'Taskwire <no-reply@taskwire.test>',
      publicUrl: 'http://localhost:8080',
      findPerson: async () => person,
      connections: 3,
    });
    closing.push(channel.close);
    return channel;
  }

  function loopAt(smtpUrl: string, { concurrency = 3 } = {}) {
    return deliveryLoop({
      log: deliveryLog(database.db.pool),
      channel: channelAt(smtpUrl),
      concurrency,
      intervalMs: 60_000,
      telemetry: { logger, ended: () => undefined },
    });
  }

  /** Writes one notification and gives its id. */
  async function notify(type: NotificationType, title = 'Paint the fence'): Promise<string> {
    const compose = composer((kind, facts) => templates[kind].inApp(facts), [inApp, channelAt('smtp://127.0.0.1:1')]);
    const eventId = randomUUID();
    const facts = { task: { id: randomUUIDv7(), title, isDeleted: false }, actor: 'Mia', recipient: 'Ann' };
    const notification = compose({ eventId, userId: randomUUIDv7(), type, facts });
    await database.db.transaction(async (tx) => await writeNotifications(tx, [notification]));
    const [row] = await query<{ id: string }>(database.db.pool, 'SELECT id FROM notifications WHERE event_id = $1', [
      eventId,
    ]);
    return row!.id;
  }

  async function delivery(notificationId: string) {
    const [row] = await query<{ id: string; state: string; due_at: Date | null; last_error: string | null }>(
      database.db.pool,
      `SELECT id, state, due_at, last_error FROM deliveries WHERE notification_id = $1 AND channel = 'email'`,
      [notificationId],
    );
    return row!;
  }

  async function outcomes(notificationId: string): Promise<(string | null)[]> {
    const rows = await query<{ outcome: string | null }>(
      database.db.pool,
      `SELECT outcome FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id
       WHERE d.notification_id = $1 AND d.channel = 'email' ORDER BY a.number`,
      [notificationId],
    );
    return rows.map((row) => row.outcome);
  }

  /** As if the time until the delivery is due again had passed. */
  async function makeDue(): Promise<void> {
    await query(database.db.pool, 'UPDATE deliveries SET due_at = clock_timestamp() WHERE due_at IS NOT NULL');
  }

  it('sends text and HTML to the address of the directory, under the id of the notification', async () => {
    const id = await notify('task.assigned');
    await loopAt(mail.url).tick();
    const sent = await mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
    expect(sent.to).to.deep.equal(['ann@taskwire.test']);
    expect(sent.from).to.equal('"Taskwire" <no-reply@taskwire.test>');
    expect(sent.subject).to.equal('Assigned to you: “Paint the fence”');
    expect(sent.text).to.include('Mia assigned “Paint the fence” to you.');
    expect(sent.html).to.include('<p>Mia assigned “Paint the fence” to you.</p>');
    expect((await delivery(id)).state).to.equal('sent');
    expect(await outcomes(id)).to.deep.equal(['sent']);
  });

  it('says in the headers that a machine wrote it', async () => {
    await notify('task.assigned');
    await loopAt(smtp.url).tick();
    const [message] = smtp.arrived;
    expect(message).to.match(/^Auto-Submitted: auto-generated$/im);
    expect(message).to.match(/^List-Id: Taskwire notifications <notifications\.taskwire\.test>$/im);
    expect(message).to.match(/^Date: /im);
  });

  it('keeps a hostile title out of the headers and the HTML', async () => {
    const title = '<script>alert(1)</script>\r\nBcc: everybody@taskwire.test\r\n\r\nHello';
    const id = await notify('task.assigned', title);
    await loopAt(mail.url).tick();
    const sent = await mail.waitFor((one) => one.messageId === `<${id}@taskwire.test>`);
    expect(sent.to).to.deep.equal(['ann@taskwire.test']);
    expect(sent.subject).to.include('<script>alert(1)</script> Bcc: everybody@taskwire.test Hello');
    expect(sent.html).to.include('&lt;script&gt;').and.not.to.include('<script');
  });

  it('makes one notification with its deliveries of one event and person, however many write it at the same time', async () => {
    const compose = composer((kind, facts) => templates[kind].inApp(facts), [inApp, channelAt('smtp://127.0.0.1:1')]);
    const facts = { task: null, actor: null, recipient: 'Ann' };
    const about = { eventId: randomUUIDv7(), userId: randomUUIDv7(), type: 'user.welcome', facts } as const;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        await database.db.transaction(async (tx) => await writeNotifications(tx, [compose(about)]));
      }),
    );
    const rows = await query<{ channel: string; state: string }>(
      database.db.pool,
      'SELECT channel, state FROM deliveries ORDER BY channel',
    );
    expect(rows).to.deep.equal([
      { channel: 'email', state: 'pending' },
      { channel: 'in_app', state: 'sent' },
    ]);
    expect(await query(database.db.pool, 'SELECT 1 FROM notifications')).to.have.length(1);
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
    expect(attempts).to.deep.equal(['away', 'away', 'away', 'away']);
    await loopAt(mail.url).tick();
    for (const id of ids) expect((await delivery(id)).state).to.equal('sent');
  });

  it('is calm when it was away and there is nothing left to try', async () => {
    await notify('task.assigned');
    const loop = loopAt('smtp://127.0.0.1:1');
    await loop.tick().catch(() => undefined);
    await query(database.db.pool, 'TRUNCATE notifications CASCADE');
    expect(await loop.tick()).to.equal('idle');
  });

  it('does not try unseen: one attempt is one try', async () => {
    const id = await notify('task.assigned');
    smtp.follow({ greeting: 'cut' });
    const loop = loopAt(smtp.url);
    await loop.tick().catch(() => undefined);
    expect(await outcomes(id)).to.deep.equal(['away']);
    expect(smtp.connections()).to.equal(1);
  });

  it('waits when the server will not have us: the greeting or the log-in is refused', async () => {
    const id = await notify('task.assigned');
    smtp.follow({ greeting: '554 not you' });
    await loopAt(smtp.url)
      .tick()
      .catch(() => undefined);
    expect((await delivery(id)).state).to.equal('pending');
    expect(await outcomes(id)).to.deep.equal(['away']);
  });

  it('tries again after a 4xx, later each time, under the same Message-ID', async () => {
    const id = await notify('task.assigned');
    smtp.follow({ rcpt: '450 greylisted' });
    await loopAt(smtp.url).tick();
    const waiting = await delivery(id);
    expect(waiting.state).to.equal('pending');
    expect(waiting.last_error).to.include('450 greylisted');
    smtp.follow({ end: (nth) => (nth === 1 ? '451 try later' : '250 taken') });
    await makeDue();
    const loop = loopAt(smtp.url);
    await loop.tick();
    await makeDue();
    await loop.tick();
    expect(await outcomes(id)).to.deep.equal(['again', 'again', 'sent']);
    for (const message of smtp.arrived) expect(message).to.include(`Message-ID: <${id}@taskwire.test>`);
  });

  it('gives up after a 5xx, and says why', async () => {
    const id = await notify('task.assigned');
    smtp.follow({ rcpt: '550 no such mailbox' });
    await loopAt(smtp.url).tick();
    const failed = await delivery(id);
    expect(failed.state).to.equal('failed');
    expect(failed.last_error).to.include('550 no such mailbox');
    expect(await outcomes(id)).to.deep.equal(['refused']);
  });

  it('does not mail a user who was deleted in the meantime', async () => {
    const id = await notify('task.assigned');
    person = { kind: 'deleted' };
    await loopAt(smtp.url).tick();
    const failed = await delivery(id);
    expect(failed).to.include({ state: 'failed', last_error: 'the user was deleted' });
    expect(smtp.dataCommands()).to.equal(0);
  });

  it('waits as long as Auth asks when the address is not known and Auth is away', async () => {
    const id = await notify('task.assigned');
    person = { kind: 'unavailable', detail: 'auth failed too often', retryAfterMs: 60_000 };
    await loopAt(smtp.url).tick();
    const waiting = await delivery(id);
    expect(waiting.state).to.equal('pending');
    expect(waiting.due_at!.getTime() - Date.now()).to.be.within(50_000, 61_000);
  });

  it('is not in the state "sending" before the server is ready to take the message', async () => {
    const id = await notify('task.assigned');
    smtp.follow({ data: 'silence' });
    const loop = loopAt(smtp.url);
    const stopping = loop.tick().catch(() => undefined);
    await waitFor(() => smtp.dataCommands() === 1);
    expect((await delivery(id)).state).to.equal('pending');
    await loop.stop();
    await stopping;
    // the stop cut it off: nothing was handed over, so it is simply due again
    expect(await delivery(id)).to.include({ state: 'pending' });
    expect(await outcomes(id)).to.deep.equal(['again']);
    await loopAt(mail.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('has committed the state "sending" before the server can take the message', async () => {
    const id = await notify('task.assigned');
    const seen: string[] = [];
    smtp.follow({
      end: async () => {
        seen.push((await delivery(id)).state);
        return '250 taken';
      },
    });
    await loopAt(smtp.url).tick();
    expect(seen).to.deep.equal(['sending']);
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('waits with its stop for the answer to what was handed over', async () => {
    const id = await notify('task.assigned');
    const answer = Promise.withResolvers<string>();
    smtp.follow({ end: () => answer.promise });
    const loop = loopAt(smtp.url);
    await loop.start();
    await waitFor(() => smtp.arrived.length === 1);
    const stopped = loop.stop();
    answer.resolve('250 taken');
    await stopped;
    expect((await delivery(id)).state).to.equal('sent');
  });

  it('leaves a task mail unknown, and does not double it, when the connection is cut before the answer', async () => {
    const id = await notify('task.assigned');
    smtp.follow({ end: () => 'cut' });
    const loop = loopAt(smtp.url);
    await loop.tick();
    const unknown = await delivery(id);
    expect(unknown).to.include({ state: 'unknown', due_at: null });
    smtp.follow({});
    await makeDue();
    await loop.tick();
    expect(smtp.arrived).to.have.length(1);
    expect(await outcomes(id)).to.deep.equal(['unknown']);
  });

  it('sends a welcome of unknown outcome once more, under the same Message-ID, and the log says so', async () => {
    const id = await notify('user.welcome');
    smtp.follow({ end: () => 'cut' });
    const loop = loopAt(smtp.url);
    await loop.tick();
    expect((await delivery(id)).state).to.equal('unknown');
    await makeDue();
    await loop.tick();
    // the second unknown is the last
    expect(await delivery(id)).to.include({ state: 'unknown', due_at: null });
    await makeDue();
    await loop.tick();
    expect(smtp.arrived).to.have.length(2);
    for (const message of smtp.arrived) expect(message).to.include(`Message-ID: <${id}@taskwire.test>`);
    expect(await outcomes(id)).to.deep.equal(['unknown', 'unknown']);
  });

  it('counts as sent when the second try of a welcome is answered', async () => {
    const id = await notify('user.welcome');
    smtp.follow({ end: (nth) => (nth === 1 ? 'cut' : '250 taken') });
    const loop = loopAt(smtp.url);
    await loop.tick();
    await makeDue();
    await loop.tick();
    expect((await delivery(id)).state).to.equal('sent');
    expect(await outcomes(id)).to.deep.equal(['unknown', 'sent']);
  });

  describe('when the process that had it is gone', () => {
    const log = () => deliveryLog(database.db.pool);

    it('goes on with what was only claimed, without a doubt', async () => {
      const id = await notify('task.assigned');
      await log().claim('email', 1, 15_000);
      const loop = loopAt(smtp.url);
      await loop.tick();
      // the claim still holds
      expect(smtp.arrived).to.have.length(0);
      await makeDue();
      await loop.tick();
      expect((await delivery(id)).state).to.equal('sent');
      expect(await outcomes(id)).to.deep.equal(['abandoned', 'sent']);
    });

    it('calls what was being sent unknown', async () => {
      const id = await notify('task.assigned');
      const [claimed] = await log().claim('email', 1, 15_000);
      expect(await log().beginSending(claimed!, 90_000)).to.equal(true);
      const loop = loopAt(smtp.url);
      await loop.tick();
      expect((await delivery(id)).state).to.equal('sending');
      await makeDue();
      await loop.tick();
      expect(await delivery(id)).to.include({ state: 'unknown', due_at: null });
      expect(await outcomes(id)).to.deep.equal(['unknown']);
      expect(smtp.arrived).to.have.length(0);
    });

    it('takes its late answer, as long as nobody else has the delivery', async () => {
      const id = await notify('task.assigned');
      const [claimed] = await log().claim('email', 1, 15_000);
      await log().beginSending(claimed!, 90_000);
      await makeDue();
      expect(await log().markLost('email', ['account'], 60_000)).to.equal(1);
      await log().record(claimed!, { state: 'sent', outcome: 'sent', detail: '250 taken', dueInMs: null });
      expect((await delivery(id)).state).to.equal('sent');
    });

    it('lets a worker that lost its claim neither hand over nor record', async () => {
      const id = await notify('task.assigned');
      const [first] = await log().claim('email', 1, 15_000);
      await makeDue();
      const [second] = await log().claim('email', 1, 15_000);
      expect(second!.id).to.equal(first!.id);
      expect(await log().beginSending(first!, 90_000)).to.equal(false);
      expect(
        await log().record(first!, { state: 'failed', outcome: 'refused', detail: 'late', dueInMs: null }),
      ).to.equal(false);
      expect((await delivery(id)).state).to.equal('pending');
    });
  });

  it('lets two workers share the work without sending anything twice', async () => {
    const ids = [];
    for (let n = 0; n < 20; n++) ids.push(await notify('task.assigned'));
    const workers = [loopAt(smtp.url), loopAt(smtp.url)];
    await Promise.all(
      workers.map(async (worker) => {
        while ((await worker.tick()) === 'more');
      }),
    );
    expect(smtp.arrived).to.have.length(20);
    for (const id of ids) expect((await delivery(id)).state).to.equal('sent');
  });

  it('never hands over after another worker has taken the delivery', async () => {
    const id = await notify('task.assigned');
    smtp.follow({ data: 'silence' });
    const slow = loopAt(smtp.url);
    const slowTick = slow.tick().catch(() => undefined);
    await waitFor(() => smtp.dataCommands() === 1);
    await makeDue();
    await loopAt(mail.url).tick();
    expect((await delivery(id)).state).to.equal('sent');
    await slow.stop();
    await slowTick;
    expect(smtp.arrived).to.have.length(0);
    expect((await delivery(id)).state).to.equal('sent');
    expect(await outcomes(id)).to.deep.equal(['abandoned', 'sent']);
  });
});
