import { expect } from 'chai';
import { mailer, reader } from './support/account-harness.ts';
import { expectProblem } from './support/api.ts';
import { addUser, loggedIn, serviceToken } from './support/auth-harness.ts';
import { invitationsHarness, type InvitationsHarness } from './support/invitations-harness.ts';

describe('invitations', () => {
  let harness: InvitationsHarness;
  before(async () => {
    harness = await invitationsHarness({ AUTH_REQUIRE_VERIFIED_EMAIL: 'true' });
    for (const { id } of [harness.admin, harness.manager]) await verify(id);
  });
  after(async () => await harness.stop());

  const verify = async (id: string) => await harness.rows('UPDATE users SET email_verified = true WHERE id = $1', [id]);

  it('admit one user as a verified member, from an admin or a manager', async () => {
    for (const inviter of [harness.admin, harness.manager]) {
      const email = harness.freshEmail();
      const invitation = await harness.invited(inviter, email, { name: 'Rosa' });
      expect(invitation).to.include({ email, name: 'Rosa', state: 'open', invited_by: inviter.id, user_id: null });
      const token = await harness.tokenOf(invitation.id);
      const answer = await harness.accept(email.toUpperCase(), token);
      expect(answer.status, answer.text).to.equal(201);
      const user = answer.body as { id: string };
      expect(user).to.include({ role: 'member', email_verified: true });
      expect(await harness.listed()).to.deep.include({ ...invitation, state: 'used', user_id: user.id });
      const detail = expectProblem(await harness.accept(harness.freshEmail(), token), 'link_not_valid').detail;
      expect(detail).to.contain('used already');
      expect(await harness.audited(invitation.id)).to.deep.equal([
        { action: 'invitation.create', outcome: 'success', actor_id: inviter.id },
        { action: 'account_link.read', outcome: 'success', actor_id: mailer.client_id },
        { action: 'invitation.use', outcome: 'success', actor_id: user.id },
      ]);
      expect(await harness.linkEvents(user.id), 'nothing is left to verify').to.deep.equal([]);
    }
  });

  it('create one account for fifty concurrent uses', async () => {
    const email = harness.freshEmail();
    const { id } = await harness.invited(harness.admin, email);
    const token = await harness.tokenOf(id);
    const answers = await Promise.all(Array.from({ length: 50 }, async () => await harness.accept(email, token)));
    expect(answers.filter(({ status }) => status === 201)).to.have.length(1);
    expect(await harness.rows('SELECT id FROM users WHERE email = $1', [email])).to.have.length(1);
  });

  it('carry no role', async () => {
    for (const role of ['admin', 'manager', 'member']) {
      expectProblem(await harness.invite(harness.admin, harness.freshEmail(), { role }), 'invalid_input');
    }
  });

  it('are valid for their address only', async () => {
    const { id } = await harness.invited(harness.admin, harness.freshEmail());
    const token = await harness.tokenOf(id);
    const { errors = [] } = expectProblem(await harness.accept('mallory@example.org', token), 'invitation_mismatch');
    expect(errors[0]).to.include({ field: 'email' });
    expect((await harness.listed({ state: 'open' })).map((one) => one.id)).to.include(id);
  });

  it('are created only by admins and managers with a verified address', async () => {
    const member = await loggedIn(harness, 'member');
    await verify(member.id);
    expectProblem(await harness.invite(member, harness.freshEmail()), 'forbidden');
    const unverified = await loggedIn(harness, 'manager');
    expectProblem(await harness.invite(unverified, harness.freshEmail()), 'email_not_verified');
    const body = { email: harness.freshEmail() };
    expectProblem(await harness.api.call('createInvitation', { body }), 'unauthenticated');
    const service = await serviceToken(harness, reader);
    expectProblem(await harness.api.call('createInvitation', { token: service, body }), 'forbidden');
  });

  it('show their token only to the service that mails it', async () => {
    const { id } = await harness.invited(harness.manager, harness.freshEmail());
    const token = await harness.tokenOf(id);
    const seen = JSON.stringify([await harness.listed(), await harness.rows('SELECT * FROM outbox')]);
    expect(seen).to.contain(id).and.not.contain(token);
    for (const asking of [harness.admin.token, await serviceToken(harness, reader)]) {
      const answer = await harness.api.call('getAccountLink', { token: asking, params: { id } });
      expect(answer.status).to.equal(403);
    }
    const tables = await harness.rows<{ name: string }>(
      `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    for (const { name } of tables) {
      const found = await harness.rows(`SELECT 1 FROM ${name} t WHERE strpos(t::text, $1) > 0`, [token.slice(-40)]);
      expect(found, name).to.deep.equal([]);
    }
    expect(harness.logLines.join('')).not.to.contain(token.slice(-40));
  });

  it('are announced by an event that names only the link and the inviter', async () => {
    const { id } = await harness.invited(harness.manager, harness.freshEmail());
    const [event] = await harness.rows<{ payload: object; aggregate_id: string }>(
      "SELECT payload, aggregate_id FROM outbox WHERE type = 'auth.account.invitation_requested' AND aggregate_id = $1",
      [id],
    );
    expect(event?.payload).to.include({ link_id: id, invited_by: harness.manager.id });
    expect(Object.keys(event?.payload ?? {})).to.have.members(['link_id', 'invited_by', 'timestamp']);
  });

  it('are not valid with an altered token or a token for another purpose', async () => {
    const email = harness.freshEmail();
    const { id } = await harness.invited(harness.admin, email);
    const token = await harness.tokenOf(id);
    const unverified = await addUser(harness, 'member');
    const last = token.at(-1) === 'A' ? 'B' : 'A';
    const forged = [await harness.lastToken(unverified.id), token.slice(0, -1) + last, `${token}A`, id, "' OR 1=1 --"];
    for (const one of forged) expectProblem(await harness.accept(email, one), 'link_not_valid');
    expectProblem(await harness.verify(token), 'link_not_valid');
    expectProblem(await harness.reset(token), 'link_not_valid');
    expect((await harness.accept(email, token)).status).to.equal(201);
  });

  it('are limited to one open invitation per address, even under concurrency and in any spelling', async () => {
    const email = harness.freshEmail();
    const emails = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? email : email.toUpperCase()));
    // otherwise the limit on mails to one address would refuse them as well
    const generous = await harness.replica({ MAIL_REQUESTS_PER_ADDRESS: '1000' });
    const answers = await Promise.all(
      emails.map(async (one) => await harness.invite(harness.admin, one, {}, generous.api)),
    );
    expect(answers.filter(({ status }) => status === 201)).to.have.length(1);
    for (const answer of answers) if (answer.status !== 201) expectProblem(answer, 'already_invited');
  });

  it('are not sent to existing users', async () => {
    const { email } = await addUser(harness, 'member');
    expectProblem(await harness.invite(harness.manager, email.toUpperCase()), 'email_taken');
  });

  it('are revoked by admins, and by the manager who created them', async () => {
    const [first, second] = [harness.freshEmail(), harness.freshEmail()];
    const byAdmin = await harness.invited(harness.admin, first);
    const token = await harness.tokenOf(byAdmin.id);
    expectProblem(await harness.revoke(harness.manager, byAdmin.id), 'forbidden');
    expect((await harness.revoke(harness.admin, byAdmin.id)).status).to.equal(204);
    expectProblem(await harness.revoke(harness.admin, byAdmin.id), 'gone');
    expect(expectProblem(await harness.accept(first, token), 'link_not_valid').detail).to.contain('revoked');
    expect(expectProblem(await harness.readLink(byAdmin.id, mailer), 'gone').detail).to.equal('It was revoked.');
    expect((await harness.audited(byAdmin.id)).map(({ action }) => action)).to.deep.equal([
      'invitation.create',
      'account_link.read',
      // the manager's attempt, which was refused
      'invitation.revoke',
      'invitation.revoke',
      // refused, because the invitation had ended
      'account_link.read',
    ]);
    const byManager = await harness.invited(harness.manager, second);
    expect((await harness.revoke(harness.manager, byManager.id)).status).to.equal(204);
    expect((await harness.invite(harness.admin, second)).status, 'another invitation is allowed').to.equal(201);
    expectProblem(await harness.revoke(harness.admin, harness.admin.id), 'not_found');
  });

  it('end when their inviter loses the right to invite', async () => {
    for (const end of ["role = 'member'", 'deleted_at = now(), password_hash = NULL']) {
      const inviter = await loggedIn(harness, 'manager');
      await verify(inviter.id);
      const email = harness.freshEmail();
      const { id } = await harness.invited(inviter, email);
      const token = await harness.tokenOf(id);
      await harness.rows(`UPDATE users SET ${end} WHERE id = $1`, [inviter.id]);
      expectProblem(await harness.accept(email, token), 'link_not_valid');
      expectProblem(await harness.readLink(id), 'gone');
      expect((await harness.invite(harness.admin, email)).status, 'another invitation is allowed').to.equal(201);
    }
  });

  it('expire, which allows a new one, and are purged a month later', async () => {
    const email = harness.freshEmail();
    const { id } = await harness.invited(harness.admin, email);
    const token = await harness.tokenOf(id);
    const age = async (days: number) =>
      await harness.rows('UPDATE invitations SET expires_at = now() - make_interval(days => $2) WHERE id = $1', [
        id,
        days,
      ]);
    await age(0);
    expect(expectProblem(await harness.accept(email, token), 'link_not_valid').detail).to.contain('has expired');
    expect((await harness.listed({ state: 'expired' })).map((one) => one.id)).to.include(id);
    const { id: second } = await harness.invited(harness.admin, email);
    await age(29);
    await harness.service.retention.tick();
    expect((await harness.listed()).map((one) => one.id)).to.include.members([id, second]);
    await harness.rows("UPDATE invitations SET ended_at = now() - interval '31 days' WHERE id = $1", [id]);
    await age(31);
    await harness.service.retention.tick();
    expect((await harness.listed()).map((one) => one.id))
      .to.include(second)
      .and.not.include(id);
  });

  it('are limited for each inviter and for each address', async () => {
    const small = await harness.replica({ INVITATIONS_PER_INVITER: '3' });
    const inviter = await loggedIn(harness, 'manager');
    await verify(inviter.id);
    const statuses = [];
    for (let count = 0; count < 4; count++) {
      statuses.push((await harness.invite(inviter, harness.freshEmail(), {}, small.api)).status);
    }
    expect(statuses).to.deep.equal([201, 201, 201, 429]);
    const email = harness.freshEmail();
    let answer = await harness.invite(harness.admin, email);
    for (let count = 0; count < 20 && answer.status === 201; count++) {
      await harness.revoke(harness.admin, (answer.body as { id: string }).id);
      answer = await harness.invite(harness.admin, email);
    }
    expectProblem(answer, 'rate_limited');
    expect(answer.headers.get('retry-after')).to.equal('3600');
  });

  it('are listed latest first, by page and by state', async () => {
    const ids = [];
    for (let count = 0; count < 3; count++) ids.push((await harness.invited(harness.admin, harness.freshEmail())).id);
    const { admin, api } = harness;
    const first = (await api.call('listInvitations', { token: admin.token, query: { limit: '2', state: 'open' } }))
      .body as { data: { id: string }[]; next_cursor: string };
    const query = { limit: '2', state: 'open', cursor: first.next_cursor };
    const second = (await api.call('listInvitations', { token: admin.token, query })).body as typeof first;
    expect([...first.data, ...second.data].map(({ id }) => id).slice(0, 3)).to.deep.equal(ids.toReversed());
    const member = await loggedIn(harness, 'member');
    await verify(member.id);
    expectProblem(await api.call('listInvitations', { token: member.token }), 'forbidden');
  });

  it('work where registration is open or by domain, and not where it is off', async () => {
    const domains = { REGISTRATION: 'domains', REGISTRATION_DOMAINS: 'example.com' };
    for (const settings of [{ REGISTRATION: 'open' }, domains]) {
      const { api } = await harness.replica(settings);
      const email = harness.freshEmail();
      const { id } = (await harness.invite(harness.admin, email, {}, api)).body as { id: string };
      expectProblem(await harness.accept(email, 'twl_x', api), 'link_not_valid');
      expect((await harness.accept(email, await harness.tokenOf(id), api)).status).to.equal(201);
    }
    const off = await harness.replica({ REGISTRATION: 'off' });
    const email = harness.freshEmail();
    const { id } = await harness.invited(harness.admin, email);
    expectProblem(await harness.accept(email, await harness.tokenOf(id), off.api), 'registration_closed');
    expectProblem(await harness.invite(harness.admin, harness.freshEmail(), {}, off.api), 'registration_closed');
  });
});
