import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { deliveryHarness, openLink } from './support/delivery-harness.ts';
import { eventually, serviceHarness } from './support/service-harness.ts';
import type { FakeLink } from './support/fake-services.ts';

describe('E-mails with account links', () => {
  describe('after their event', () => {
    const o = serviceHarness();
    const timestamp = '2026-11-20T10:00:00.000000Z';

    function addLink(email: string, more: Partial<FakeLink> = {}) {
      const id = randomUUIDv7();
      const token = `twl_${randomUUIDv7()}`;
      const link = `http://localhost:8080/oidc/account/verify?token=${token}`;
      o.around.others.links.set(id, { email, link, expires_at: '2026-11-21T20:15:00.000000Z', ...more });
      return { id, token, link };
    }

    async function delivery(linkId: string) {
      return await o.rows<{ state: string; last_error: string | null; outcome: string; detail: string }>(
        `SELECT d.state, d.last_error, a.outcome, a.detail FROM notifications n JOIN deliveries d ON d.notification_id = n.id
         JOIN delivery_attempts a ON a.delivery_id = d.id WHERE n.template_data->>'linkId' = $1`,
        [linkId],
      );
    }

    it('are sent to the address of the link; the link is in no row and not in the app', async () => {
      const { id, token, link } = addLink('ann.elsewhere@taskwire.test');
      const event = { user_id: o.ann.id, link_id: id, timestamp };
      await o.around.publish('auth.account.verification_requested', event);
      const mail = await o.mailed(({ to }) => to.includes('ann.elsewhere@taskwire.test'));
      expect(mail.subject).to.equal('Verify your e-mail address');
      expect(mail.text).to.include(`: ${link}\n`).and.include('until 2026-11-21 20:15 UTC');
      await eventually(async () => (await delivery(id))[0]?.state === 'sent');
      const tables = await o.rows<{ name: string }>(
        `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`,
      );
      for (const { name } of tables) {
        const found = await o.rows(`SELECT 1 FROM ${name} t WHERE strpos(t::text, $1) > 0`, [token]);
        expect(found, name).to.deep.equal([]);
      }
      expect(await o.notificationsOf(o.ann)).to.deep.equal([]);
      const as = await o.around.others.userToken(o.ann);
      const unread = await o.service.call('GET', '/api/v1/notifications/unread_count', { token: as });
      expect(unread.body).to.deep.equal({ unread_count: 0 });
      const all = await o.service.call('POST', '/api/v1/notifications/read_all', { token: as });
      expect(all.body).to.deep.equal({ read: 0 });
    });

    it('say who caused them and when, and when an unverified account will be deleted', async () => {
      const { id } = addLink('new@taskwire.test', {
        requested: {
          at: '2026-11-20T17:54:18.626985Z',
          by: 'registration',
          network: '198.51.100.0/24',
          browser: 'Firefox on Windows',
        },
        deleted_unless_verified_by: '2026-12-20T17:54:18.626Z',
      });
      await o.around.publish('auth.account.verification_requested', { user_id: o.ann.id, link_id: id, timestamp });
      const { text } = await o.mailed(({ to }) => to.includes('new@taskwire.test'));
      expect(text)
        .to.include('A Taskwire account was registered with this address on 2026-11-20 17:54 UTC')
        .and.include('with Firefox on Windows from the network 198.51.100.0/24.')
        .and.include('If the address is not verified, the account will be deleted after 2026-12-20 17:54 UTC.');
    });

    it('ask the new address to confirm a change, and warn the old one, with one mail each', async () => {
      const { id, link } = addLink('ann.next@taskwire.test', {
        requested: { at: timestamp, by: 'account_holder', network: null, browser: null },
      });
      const event = { user_id: o.ann.id, link_id: id, timestamp };
      const messageId = await o.around.publish('auth.account.email_change_requested', event);
      await o.around.publish('auth.account.email_change_requested', event, messageId);
      const confirmation = await o.mailed(({ to }) => to.includes('ann.next@taskwire.test'));
      expect(confirmation.subject).to.equal('Confirm your new e-mail address');
      expect(confirmation.text)
        .to.include(`: ${link}\n`)
        .and.include('Someone with a Taskwire account asked on 2026-11-20 10:00 UTC');
      // the address may belong to a person who has nothing to do with the account
      expect(confirmation.text).not.to.include('Ann').and.not.to.include(o.ann.email);
      const warning = await o.mailed(({ to }) => to.includes(o.ann.email));
      expect(warning.subject).to.equal('A new e-mail address was requested for your account');
      expect(warning.text).to.include('http://localhost:8080/oidc/account/forgot').and.not.to.include('ann.next');
      await o.allHandled();
      expect(o.mailsTo(o.ann)).to.have.length(1);
      expect(await o.typesOf(o.ann)).to.deep.equal(['security.email_change_requested']);
    });

    it('give the old address a link that undoes the change; the app does not show the link', async () => {
      const old = 'ann.before@taskwire.test';
      const { id, link, token } = addLink(old, {
        requested: { at: timestamp, by: 'account_holder', network: '198.51.100.0/24', browser: null },
      });
      await o.around.publish('auth.account.email_changed', { user_id: o.ann.id, link_id: id, timestamp });
      const mail = await o.mailed(({ to }) => to.includes(old));
      expect(mail.subject).to.equal('The e-mail address of your account was changed');
      expect(mail.text)
        .to.include(`Undo the change: ${link}\n`)
        .and.include('changed on 2026-11-20 10:00 UTC from the network 198.51.100.0/24.')
        .and.include('until 2026-11-21 20:15 UTC');
      await eventually(async () => (await o.typesOf(o.ann)).includes('security.email_changed'));
      expect(JSON.stringify(await o.notificationsOf(o.ann))).not.to.include(token);
      expect(o.mailsTo(o.ann)).to.deep.equal([]);
    });

    it('are skipped if the link is no longer valid when they are sent, with the reason', async () => {
      const id = randomUUIDv7();
      o.around.others.links.set(id, { ended: 'A newer one was sent.' });
      await o.around.publish('auth.account.password_reset_requested', { user_id: o.ann.id, link_id: id, timestamp });
      await eventually(async () => (await delivery(id))[0]?.state === 'skipped');
      const detail = 'A newer one was sent.';
      expect(await delivery(id)).to.deep.equal([{ state: 'skipped', last_error: detail, outcome: 'skipped', detail }]);
      expect(o.mailsTo(o.ann)).to.deep.equal([]);
    });

    it('are sent once, however often the event arrives', async () => {
      const { id } = addLink(o.ann.email);
      const event = { user_id: o.ann.id, link_id: id, timestamp };
      const messageId = await o.around.publish('auth.account.password_reset_requested', event);
      await o.around.publish('auth.account.password_reset_requested', event, messageId);
      await eventually(async () => (await delivery(id))[0]?.state === 'sent');
      await o.allHandled();
      expect(o.mailsTo(o.ann).map(({ subject }) => subject)).to.deep.equal(['Set a new password']);
    });

    it('include the report of a changed password, which is in the app too', async () => {
      await o.around.publish('auth.account.password_changed', { user_id: o.ann.id, timestamp });
      const mail = await o.mailed(({ to }) => to.includes(o.ann.email));
      expect(mail.subject).to.equal('Your password was changed');
      expect(mail.text).to.include('http://localhost:8080/oidc/account/forgot');
      expect(await o.typesOf(o.ann)).to.deep.equal(['security.password_changed']);
    });
  });

  describe('when they are sent', () => {
    const harness = deliveryHarness();
    const { loopAt, notify, delivery, outcomes, makeDue } = harness;

    it('are retried within ten seconds while Auth is unavailable, however often they have been retried', async () => {
      harness.link = async () => ({ kind: 'unavailable', reason: 'network', detail: 'auth did not respond' });
      const id = await notify('security.verify_email');
      for (let attempt = 1; attempt <= 8; attempt++) {
        await loopAt(harness.mail.url).tick();
        const pause = Number((await delivery(id)).next_attempt_at) - Date.now();
        expect(pause, `after attempt ${attempt}`).to.be.within(3_000, 10_000);
        await makeDue();
      }
      harness.link = async () => openLink;
      await loopAt(harness.mail.url).tick();
      expect((await delivery(id)).state).to.equal('sent');
    });

    it('wait while Auth is unavailable, for as long as its Retry-After says', async () => {
      const id = await notify('security.verify_email');
      harness.link = async () => ({
        kind: 'unavailable',
        reason: 'network',
        detail: 'auth answered 503',
        retryAfterMs: 60_000,
      });
      await loopAt(harness.smtp.url).tick();
      const waiting = await delivery(id);
      expect(waiting).to.include({ state: 'pending', last_error: 'auth answered 503' });
      expect(waiting.next_attempt_at!.getTime() - Date.now()).to.be.within(50_000, 61_000);
      expect(harness.smtp.dataCommands()).to.equal(0);
    });

    it('request the link again for each attempt of the same delivery, and keep content and Message-ID', async () => {
      const id = await notify('security.reset_password');
      const asked: string[] = [];
      harness.link = async (linkId, deliveryId) => {
        asked.push(`${linkId} for ${deliveryId}`);
        return openLink;
      };
      harness.smtp.follow({ end: (nth) => (nth === 1 ? '451 try later' : '250 taken') });
      const loop = loopAt(harness.smtp.url);
      await loop.tick();
      await makeDue();
      await loop.tick();
      expect(await outcomes(id)).to.deep.equal(['retry', 'sent']);
      expect(asked).to.have.length(2);
      expect(new Set(asked).size).to.equal(1);
      for (const message of harness.smtp.arrived) {
        expect(message).to.include(`Message-ID: <${id}@taskwire.test>`).and.include('ann.new@taskwire.test');
      }
    });

    it('are sent once more after an unknown outcome, because there is no other way to reach the user', async () => {
      const id = await notify('security.verify_email');
      harness.smtp.follow({ end: (nth) => (nth === 1 ? 'cut' : '250 taken') });
      const loop = loopAt(harness.smtp.url);
      await loop.tick();
      expect((await delivery(id)).state).to.equal('unknown');
      await makeDue();
      await loop.tick();
      expect(await outcomes(id)).to.deep.equal(['unknown', 'sent']);
    });

    it('stay unknown if the link is no longer valid at the retry: the link may have been used', async () => {
      const id = await notify('security.verify_email');
      harness.smtp.follow({ end: () => 'cut' });
      const loop = loopAt(harness.smtp.url);
      await loop.tick();
      harness.link = async () => ({ kind: 'ended', reason: 'It was used already.' });
      await makeDue();
      await loop.tick();
      expect((await delivery(id)).state).to.equal('unknown');
      expect(await outcomes(id)).to.deep.equal(['unknown', 'skipped']);
      expect(
        await query(harness.database.db.pool, 'SELECT 1 FROM deliveries WHERE next_attempt_at IS NOT NULL'),
      ).to.deep.equal([]);
    });
  });
});
