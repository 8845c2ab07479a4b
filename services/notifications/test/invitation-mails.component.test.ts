import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { retentionOf } from './support/retention.ts';
import { eventually, serviceHarness } from './support/service-harness.ts';

describe('Invitation e-mails', () => {
  const o = serviceHarness();
  const timestamp = '2026-11-20T10:00:00.000000Z';

  function addInvitation() {
    const id = randomUUIDv7();
    const email = `${id}@elsewhere.test`;
    const token = `twl_${randomUUIDv7()}`;
    const link = `http://localhost:8080/oidc/account/invitation?token=${token}`;
    o.around.others.links.set(id, { email, link, expires_at: '2026-11-27T20:15:00.000000Z' });
    return { id, email, link, token, event: { link_id: id, invited_by: o.mia.id, timestamp } };
  }

  const rowsOf = async (linkId: string) =>
    await o.rows<{ user_id: string | null; state: string; text: string }>(
      `SELECT n.user_id, d.state, n::text || d::text AS text
       FROM notifications n JOIN deliveries d ON d.notification_id = n.id WHERE n.template_data->>'linkId' = $1`,
      [linkId],
    );

  it('are sent to the address of the link, contain no user-written text, and belong to no user', async () => {
    const { id, email, link, token, event } = addInvitation();
    await o.around.publish('auth.account.invitation_requested', event);
    const mail = await o.mailed(({ to }) => to.includes(email));
    expect(mail.subject).to.equal('You have been invited to Taskwire');
    expect(mail.text).not.to.include('Mia');
    expect(mail.text).to.include(`: ${link}\n`).and.include('until 2026-11-27 20:15 UTC');
    await eventually(async () => (await rowsOf(id))[0]?.state === 'sent');
    const [row] = await rowsOf(id);
    expect(row?.user_id).to.equal(null);
    expect(row?.text).not.to.contain(token).and.not.to.contain(email);
    expect(await o.notificationsOf(o.mia), 'the inviter is not notified').to.deep.equal([]);
  });

  it('are sent once, however often the event arrives', async () => {
    const { id, email, event } = addInvitation();
    const messageId = await o.around.publish('auth.account.invitation_requested', event);
    await eventually(async () => (await rowsOf(id))[0]?.state === 'sent');
    // simulates that the inbox has deleted the row after its retention period
    await o.rows('DELETE FROM inbox WHERE message_id = $1', [messageId]);
    await o.around.publish('auth.account.invitation_requested', event, messageId);
    await o.allHandled();
    expect(await rowsOf(id)).to.have.length(1);
    expect(o.mail.received.filter(({ to }) => to.includes(email))).to.have.length(1);
  });

  it("count against the budget of the inviter, and against the mailbox's budget of requested links", async () => {
    const { id, event } = addInvitation();
    await o.around.publish('auth.account.invitation_requested', event);
    await eventually(async () => (await rowsOf(id))[0]?.state === 'sent');
    const counted = await o.rows<{ caller_id: string }>(
      `SELECT c.caller_id FROM mail_counts c JOIN deliveries d ON d.id = c.delivery_id
       JOIN notifications n ON n.id = d.notification_id WHERE n.template_data->>'linkId' = $1`,
      [id],
    );
    expect(counted).to.deep.equal([{ caller_id: o.mia.id }]);
  });

  it('are skipped if the invitation was revoked before they were sent', async () => {
    const { id, email, event } = addInvitation();
    o.around.others.links.set(id, { ended: 'It was revoked.' });
    await o.around.publish('auth.account.invitation_requested', event);
    await eventually(async () => (await rowsOf(id))[0]?.state === 'skipped');
    expect(o.mail.received.filter(({ to }) => to.includes(email))).to.deep.equal([]);
  });

  it('are deleted after a month, with the responses of mail servers', async () => {
    await o.rows(
      `INSERT INTO notifications (id, event_id, user_id, type, template_data)
       SELECT uuidv7(make_interval(days => -days)), uuidv7(), NULL, 'security.invitation', jsonb_build_object('linkId', days)
       FROM unnest(ARRAY[29, 31]) AS days`,
    );
    await o.rows(
      `INSERT INTO deliveries (notification_id, channel, delivery_policy, state, last_error)
       SELECT id, 'email', 'resend_once', 'failed', 'no such mailbox' FROM notifications WHERE template_data->>'linkId' IN ('29', '31')`,
    );
    await retentionOf(o.around.database.db).tick();
    expect(await rowsOf('29')).to.have.length(1);
    expect(await rowsOf('31')).to.deep.equal([]);
  });
});
