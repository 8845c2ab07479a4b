import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import type { FakeUser } from './support/fake-services.ts';
import { deliveryHarness } from './support/delivery-harness.ts';
import { eventually, serviceHarness } from './support/service-harness.ts';

const timestamp = '2026-11-20T10:00:00.000000Z';
const restorable_until = '2026-11-27T10:00:00.000000Z';

describe('E-mails about account changes', () => {
  describe('after their event', () => {
    const o = serviceHarness();

    const shown = async (user: FakeUser) => (await o.notificationsOf(user)).map(({ type, body }) => [type, body]);
    const held = async (id: string) => await o.service.parts.directory.get(id);

    /** Adds a user to the directory. */
    const know = async (id: string) => await o.service.parts.directory.readThrough(id);
    const isRetried = async (messageId: string) =>
      (await o.rows('SELECT 1 FROM inbox_pending WHERE message_id = $1', [messageId])).length > 0;
    const isHandled = async (messageId: string) =>
      (await o.rows("SELECT 1 FROM inbox WHERE message_id = $1 AND handler LIKE 'auth.account.%'", [messageId]))
        .length > 0;

    /** Deletes a user at Auth, and waits until the directory has received the deletion. */
    async function remove(user: FakeUser): Promise<void> {
      user.isDeleted = true;
      user.version += 1;
      await o.around.publish('auth.user.deleted', { user_id: user.id, timestamp });
      await eventually(async () => (await held(user.id))?.isDeleted === true);
    }

    async function deletions(userId: string) {
      return await o.rows<{ state: string; last_error: string | null; title: string | null }>(
        `SELECT d.state, d.last_error, n.title FROM notifications n JOIN deliveries d ON d.notification_id = n.id
         WHERE n.user_id = $1 AND n.type = 'security.account_deleted'`,
        [userId],
      );
    }

    it('report a new role with its actor, by mail and in the app', async () => {
      const event = { user_id: o.ann.id, timestamp, actor: o.mia.id, role: 'manager' };
      await o.around.publish('auth.account.role_changed', event);
      const mail = await o.mailed(({ to }) => to.includes(o.ann.email));
      expect(mail.subject).to.equal('Your role was changed');
      expect(mail.text).to.include('Mia changed your role in Taskwire to manager.');
      expect(await shown(o.ann)).to.deep.equal([
        ['security.role_changed', 'Mia changed your role in Taskwire to manager.'],
      ]);
    });

    it('report a new admin, also to the actor, and once however often the event arrives', async () => {
      const fact = { timestamp, actor: o.mia.id, admin_id: o.ben.id };
      const toMia = { user_id: o.mia.id, ...fact };
      const messageId = await o.around.publish('auth.account.admin_added', toMia);
      await o.around.publish('auth.account.admin_added', toMia, messageId);
      await o.around.publish('auth.account.admin_added', { user_id: o.ann.id, ...fact });
      const [mias, anns] = [
        await o.mailed(({ to }) => to.includes(o.mia.email)),
        await o.mailed(({ to }) => to.includes(o.ann.email)),
      ];
      expect(mias.text).to.include('You made Ben an administrator.').and.include('If this was not you');
      expect(anns.text).to.include('Mia made Ben an administrator.');
      await o.allHandled();
      expect(await o.typesOf(o.mia)).to.deep.equal(['security.admin_added']);
      expect(o.mailsTo(o.mia)).to.have.length(1);
    });

    it('name the command line as the actor', async () => {
      const event = { user_id: o.ann.id, timestamp, actor: null, admin_id: o.ben.id };
      await o.around.publish('auth.account.admin_added', event);
      const mail = await o.mailed(({ to }) => to.includes(o.ann.email));
      expect(mail.text).to.include('An operator, on the command line, made Ben an administrator.');
    });

    it('wait until the name of the new admin is known', async () => {
      o.around.others.down.add('auth');
      const stranger = o.around.others.addUser('Zoe', 'admin');
      const event = { user_id: o.ann.id, timestamp, actor: stranger.id, admin_id: stranger.id };
      // the recipient is known, the new admin is not
      await know(o.ann.id);
      const messageId = await o.around.publish('auth.account.admin_added', event);
      await eventually(async () => await isRetried(messageId));
      expect(await o.typesOf(o.ann)).to.deep.equal([]);
      o.around.others.down.delete('auth');
      await o.mailed(({ to, text }) => to.includes(o.ann.email) && text.includes('made Zoe an administrator'));
    });

    it('report a deletion afterwards, to the former address and by mail only', async () => {
      await know(o.ann.id);
      await remove(o.ann);
      const event = { user_id: o.ann.id, timestamp, actor: o.mia.id, restorable_until };
      await o.around.publish('auth.account.deleted', event);
      const mail = await o.mailed(({ to }) => to.includes(o.ann.email));
      expect(mail.subject).to.equal('Your account was deleted');
      expect(mail.text).to.include('Hello Ann').and.include('Mia deleted your Taskwire account');
      expect(mail.text).to.include('until 2026-11-27 10:00 UTC');
      expect((await deletions(o.ann.id)).map(({ title }) => title)).to.deep.equal([null]);
    });

    it('report a deletion to the user who deleted their own account', async () => {
      await know(o.ann.id);
      await remove(o.ann);
      const event = { user_id: o.ann.id, timestamp, actor: o.ann.id, restorable_until };
      await o.around.publish('auth.account.deleted', event);
      const mail = await o.mailed(({ to }) => to.includes(o.ann.email));
      expect(mail.text).to.include('You deleted your Taskwire account.');
    });

    it('report a deletion although it is the first event about the user, without waiting for a reconciliation', async () => {
      const id = randomUUIDv7();
      const user = { id, name: 'Nina', email: `nina-${id}@taskwire.test`, role: 'member', version: 2 } as const;
      const event = { user_id: id, timestamp, actor: id, restorable_until };
      o.around.others.users.set(id, { ...user, isDeleted: true });
      await o.around.publish('auth.account.deleted', event);
      await o.mailed(({ to }) => to.includes(user.email));
    });

    it('do not reach an erased user', async () => {
      await know(o.ann.id);
      await remove(o.ann);
      await o.rows("UPDATE directory_users SET email = '', name = 'Deleted user' WHERE id = $1", [o.ann.id]);
      await eventually(async () => (await held(o.ann.id))?.email === '');
      const event = { user_id: o.ann.id, timestamp, actor: o.mia.id, restorable_until };
      const messageId = await o.around.publish('auth.account.deleted', event);
      await eventually(async () => await isHandled(messageId));
      expect(await deletions(o.ann.id)).to.deep.equal([]);
    });

    it('reach a restored user although the directory still has them as deleted', async () => {
      await know(o.ann.id);
      await remove(o.ann);
      o.ann.isDeleted = false;
      o.ann.version += 1;
      const linkId = randomUUIDv7();
      const link = `http://localhost:8080/oidc/account/reset?token=twl_${linkId}`;
      o.around.others.links.set(linkId, { email: o.ann.email, link, expires_at: '2026-11-21T20:15:00.000000Z' });
      // Auth also publishes the change, but the directory may lag behind for any length of time
      await o.around.publish('auth.account.restored', { user_id: o.ann.id, timestamp, actor: o.mia.id });
      await o.around.publish('auth.account.password_reset_requested', {
        user_id: o.ann.id,
        link_id: linkId,
        timestamp,
      });
      const notice = await o.mailed(({ to, text }) => to.includes(o.ann.email) && text.includes('Mia restored'));
      expect(notice.subject).to.equal('Your account was restored');
      await o.mailed(({ to, text }) => to.includes(o.ann.email) && text.includes(link));
    });

    it('wait while it is unknown whether a deleted user was restored', async () => {
      await know(o.ann.id);
      await remove(o.ann);
      o.ann.isDeleted = false;
      o.ann.version += 1;
      o.around.others.down.add('auth');
      const event = { user_id: o.ann.id, timestamp, actor: null };
      const messageId = await o.around.publish('auth.account.restored', event);
      await eventually(async () => await isRetried(messageId));
      o.around.others.down.delete('auth');
      await o.mailed(({ to, subject }) => to.includes(o.ann.email) && subject === 'Your account was restored');
    });

    it('report nothing else after a deletion', async () => {
      await know(o.ann.id);
      await remove(o.ann);
      const event = { user_id: o.ann.id, timestamp, actor: o.mia.id, role: 'admin' };
      const messageId = await o.around.publish('auth.account.role_changed', event);
      await eventually(async () => await isHandled(messageId));
      expect(await o.rows('SELECT 1 FROM notifications WHERE user_id = $1', [o.ann.id])).to.deep.equal([]);
    });
  });

  describe('when they are sent', () => {
    const harness = deliveryHarness();
    const { loopAt, notify, delivery, outcomes } = harness;

    it('reach a deleted user with the report of the deletion, and with no other', async () => {
      harness.user = { kind: 'deleted', name: 'Ann', email: 'ann@taskwire.test', isEmailVerified: true };
      const [deletion, role] = [await notify('security.account_deleted'), await notify('security.role_changed')];
      await loopAt(harness.smtp.url).tick();
      expect([(await delivery(deletion)).state, (await delivery(role)).state]).to.deep.equal(['sent', 'failed']);
      expect(harness.smtp.arrived.join()).to.include('To: Ann <ann@taskwire.test>');
    });

    it('are skipped once the address is erased', async () => {
      const id = await notify('security.account_deleted');
      harness.user = { kind: 'deleted', name: 'Deleted user', email: '', isEmailVerified: false };
      await loopAt(harness.smtp.url).tick();
      expect(await delivery(id)).to.include({ state: 'skipped', last_error: 'the address of the user was erased' });
    });

    it('are retried while the server is unavailable, and are sent once more after an unknown outcome', async () => {
      harness.user = { kind: 'deleted', name: 'Ann', email: 'ann@taskwire.test', isEmailVerified: true };
      const id = await notify('security.account_deleted');
      harness.smtp.follow({ end: (nth) => (nth === 1 ? 'cut' : '250 taken') });
      const loop = loopAt(harness.smtp.url);
      await loop.tick();
      expect((await delivery(id)).state).to.equal('unknown');
      await harness.makeDue();
      await loop.tick();
      expect(await outcomes(id)).to.deep.equal(['unknown', 'sent']);
    });
  });
});
