import { expect } from 'chai';
import { purgeExpired } from '../src/postgres/purge.ts';
import { mailer, reader } from './support/account-world.ts';
import { expectProblem } from './support/api.ts';
import { addUser, loggedIn, serviceToken } from './support/auth-world.ts';
import { invitationsWorld, type InvitationsWorld } from './support/invitations-world.ts';

describe('invitations', () => {
  let world: InvitationsWorld;
  before(async () => {
    world = await invitationsWorld({ AUTH_REQUIRE_VERIFIED_EMAIL: 'true' });
    for (const { id } of [world.admin, world.manager]) await verify(id);
  });
  after(async () => await world.stop());

  const verify = async (id: string) => await world.rows('UPDATE users SET email_verified = true WHERE id = $1', [id]);

  it('admit one user as a verified member, whoever invites', async () => {
    for (const inviter of [world.admin, world.manager]) {
      const email = world.freshEmail();
      const invitation = await world.invited(inviter, email, { name: 'Rosa' });
      expect(invitation).to.include({ email, name: 'Rosa', state: 'open', invited_by: inviter.id, user_id: null });
      const token = await world.tokenOf(invitation.id);
      const answer = await world.accept(email.toUpperCase(), token);
      expect(answer.status, answer.text).to.equal(201);
      const user = answer.body as { id: string };
      expect(user).to.include({ role: 'member', email_verified: true });
      expect(await world.listed()).to.deep.include({ ...invitation, state: 'used', user_id: user.id });
      const detail = expectProblem(await world.accept(world.freshEmail(), token), 'link_not_valid').detail;
      expect(detail).to.contain('used already');
      expect(await world.audited(invitation.id)).to.deep.equal([
        { action: 'invitation.create', outcome: 'success', actor_id: inviter.id },
        { action: 'account_link.read', outcome: 'success', actor_id: mailer.client_id },
        { action: 'invitation.use', outcome: 'success', actor_id: user.id },
      ]);
      expect(await world.linkEvents(user.id), 'nothing is left to verify').to.deep.equal([]);
    }
  });

  it('create one account for fifty concurrent uses', async () => {
    const email = world.freshEmail();
    const { id } = await world.invited(world.admin, email);
    const token = await world.tokenOf(id);
    const answers = await Promise.all(Array.from({ length: 50 }, async () => await world.accept(email, token)));
    expect(answers.filter(({ status }) => status === 201)).to.have.length(1);
    expect(await world.rows('SELECT id FROM users WHERE email = $1', [email])).to.have.length(1);
  });

  it('carry no role', async () => {
    for (const role of ['admin', 'manager', 'member']) {
      expectProblem(await world.invite(world.admin, world.freshEmail(), { role }), 'invalid_input');
    }
  });

  it('are valid for their address only', async () => {
    const { id } = await world.invited(world.admin, world.freshEmail());
    const token = await world.tokenOf(id);
    const { errors = [] } = expectProblem(await world.accept('mallory@example.org', token), 'invitation_mismatch');
    expect(errors[0]).to.include({ field: 'email' });
    expect((await world.listed({ state: 'open' })).map((one) => one.id)).to.include(id);
  });

  it('are created only by admins and managers with a verified address', async () => {
    const member = await loggedIn(world, 'member');
    await verify(member.id);
    expectProblem(await world.invite(member, world.freshEmail()), 'forbidden');
    const unverified = await loggedIn(world, 'manager');
    expectProblem(await world.invite(unverified, world.freshEmail()), 'email_not_verified');
    const body = { email: world.freshEmail() };
    expectProblem(await world.api.call('createInvitation', { body }), 'unauthenticated');
    const service = await serviceToken(world, reader);
    expectProblem(await world.api.call('createInvitation', { token: service, body }), 'forbidden');
  });

  it('show their token only to the service that mails it', async () => {
    const { id } = await world.invited(world.manager, world.freshEmail());
    const token = await world.tokenOf(id);
    const seen = JSON.stringify([await world.listed(), await world.rows('SELECT * FROM outbox')]);
    expect(seen).to.contain(id).and.not.contain(token);
    for (const asking of [world.admin.token, await serviceToken(world, reader)]) {
      const answer = await world.api.call('getAccountLink', { token: asking, params: { id } });
      expect(answer.status).to.equal(403);
    }
    const tables = await world.rows<{ name: string }>(
      `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    for (const { name } of tables) {
      const found = await world.rows(`SELECT 1 FROM ${name} t WHERE strpos(t::text, $1) > 0`, [token.slice(-40)]);
      expect(found, name).to.deep.equal([]);
    }
    expect(world.logLines.join('')).not.to.contain(token.slice(-40));
  });

  it('are announced by an event that names only the link and the inviter', async () => {
    const { id } = await world.invited(world.manager, world.freshEmail());
    const [event] = await world.rows<{ payload: object; aggregate_id: string }>(
      "SELECT payload, aggregate_id FROM outbox WHERE type = 'auth.account.invitation_requested' AND aggregate_id = $1",
      [id],
    );
    expect(event?.payload).to.include({ link_id: id, invited_by: world.manager.id });
    expect(Object.keys(event?.payload ?? {})).to.have.members(['link_id', 'invited_by', 'timestamp']);
  });

  it('are not valid with an altered token or one of another purpose', async () => {
    const email = world.freshEmail();
    const { id } = await world.invited(world.admin, email);
    const token = await world.tokenOf(id);
    const unverified = await addUser(world, 'member');
    const last = token.at(-1) === 'A' ? 'B' : 'A';
    const forged = [await world.lastToken(unverified.id), token.slice(0, -1) + last, `${token}A`, id, "' OR 1=1 --"];
    for (const one of forged) expectProblem(await world.accept(email, one), 'link_not_valid');
    expectProblem(await world.verify(token), 'link_not_valid');
    expectProblem(await world.reset(token), 'link_not_valid');
    expect((await world.accept(email, token)).status).to.equal(201);
  });

  it('are limited to one open invitation per address, also under concurrency and in any spelling', async () => {
    const email = world.freshEmail();
    const emails = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? email : email.toUpperCase()));
    // the limit of mails to one address would say no as well
    const generous = await world.replica({ MAIL_REQUESTS_PER_ADDRESS: '1000' });
    const answers = await Promise.all(
      emails.map(async (one) => await world.invite(world.admin, one, {}, generous.api)),
    );
    expect(answers.filter(({ status }) => status === 201)).to.have.length(1);
    for (const answer of answers) if (answer.status !== 201) expectProblem(answer, 'already_invited');
  });

  it('are not sent to existing users', async () => {
    const { email } = await addUser(world, 'member');
    expectProblem(await world.invite(world.manager, email.toUpperCase()), 'email_taken');
  });

  it('are revoked by admins, and by the manager who created them', async () => {
    const [first, second] = [world.freshEmail(), world.freshEmail()];
    const byAdmin = await world.invited(world.admin, first);
    const token = await world.tokenOf(byAdmin.id);
    expectProblem(await world.revoke(world.manager, byAdmin.id), 'forbidden');
    expect((await world.revoke(world.admin, byAdmin.id)).status).to.equal(204);
    expectProblem(await world.revoke(world.admin, byAdmin.id), 'gone');
    expect(expectProblem(await world.accept(first, token), 'link_not_valid').detail).to.contain('revoked');
    expect(expectProblem(await world.readLink(byAdmin.id, mailer), 'gone').detail).to.equal('It was revoked.');
    expect((await world.audited(byAdmin.id)).map(({ action }) => action)).to.deep.equal([
      'invitation.create',
      'account_link.read',
      // the manager's, which was refused
      'invitation.revoke',
      'invitation.revoke',
      // refused, because it ended
      'account_link.read',
    ]);
    const byManager = await world.invited(world.manager, second);
    expect((await world.revoke(world.manager, byManager.id)).status).to.equal(204);
    expect((await world.invite(world.admin, second)).status, 'there is room for another').to.equal(201);
    expectProblem(await world.revoke(world.admin, world.admin.id), 'not_found');
  });

  it('end when their inviter loses the right to invite', async () => {
    for (const end of ["role = 'member'", 'deleted_at = now(), password_hash = NULL']) {
      const inviter = await loggedIn(world, 'manager');
      await verify(inviter.id);
      const email = world.freshEmail();
      const { id } = await world.invited(inviter, email);
      const token = await world.tokenOf(id);
      await world.rows(`UPDATE users SET ${end} WHERE id = $1`, [inviter.id]);
      expectProblem(await world.accept(email, token), 'link_not_valid');
      expectProblem(await world.readLink(id), 'gone');
      expect((await world.invite(world.admin, email)).status, 'there is room for another').to.equal(201);
    }
  });

  it('expire, which allows a new one, and are purged a month later', async () => {
    const email = world.freshEmail();
    const { id } = await world.invited(world.admin, email);
    const token = await world.tokenOf(id);
    const age = async (days: number) =>
      await world.rows('UPDATE invitations SET expires_at = now() - make_interval(days => $2) WHERE id = $1', [
        id,
        days,
      ]);
    await age(0);
    expect(expectProblem(await world.accept(email, token), 'link_not_valid').detail).to.contain('time is over');
    expect((await world.listed({ state: 'expired' })).map((one) => one.id)).to.include(id);
    const { id: second } = await world.invited(world.admin, email);
    await age(29);
    await purgeExpired(world.database.db.pool);
    expect((await world.listed()).map((one) => one.id)).to.include.members([id, second]);
    await world.rows("UPDATE invitations SET ended_at = now() - interval '31 days' WHERE id = $1", [id]);
    await age(31);
    await purgeExpired(world.database.db.pool);
    expect((await world.listed()).map((one) => one.id))
      .to.include(second)
      .and.not.include(id);
  });

  it('are limited for each inviter and for each address', async () => {
    const small = await world.replica({ INVITATIONS_PER_INVITER: '3' });
    const inviter = await loggedIn(world, 'manager');
    await verify(inviter.id);
    const statuses = [];
    for (let count = 0; count < 4; count++) {
      statuses.push((await world.invite(inviter, world.freshEmail(), {}, small.api)).status);
    }
    expect(statuses).to.deep.equal([201, 201, 201, 429]);
    const email = world.freshEmail();
    let answer = await world.invite(world.admin, email);
    for (let count = 0; count < 20 && answer.status === 201; count++) {
      await world.revoke(world.admin, (answer.body as { id: string }).id);
      answer = await world.invite(world.admin, email);
    }
    expectProblem(answer, 'rate_limited');
    expect(answer.headers.get('retry-after')).to.equal('3600');
  });

  it('are listed latest first, by page and by state', async () => {
    const ids = [];
    for (let count = 0; count < 3; count++) ids.push((await world.invited(world.admin, world.freshEmail())).id);
    const { admin, api } = world;
    const first = (await api.call('listInvitations', { token: admin.token, query: { limit: '2', state: 'open' } }))
      .body as { data: { id: string }[]; next_cursor: string };
    const query = { limit: '2', state: 'open', cursor: first.next_cursor };
    const second = (await api.call('listInvitations', { token: admin.token, query })).body as typeof first;
    expect([...first.data, ...second.data].map(({ id }) => id).slice(0, 3)).to.deep.equal(ids.toReversed());
    const member = await loggedIn(world, 'member');
    await verify(member.id);
    expectProblem(await api.call('listInvitations', { token: member.token }), 'forbidden');
  });

  it('work where registration is open or by domain, and not where it is off', async () => {
    const domains = { REGISTRATION: 'domains', REGISTRATION_DOMAINS: 'example.com' };
    for (const settings of [{ REGISTRATION: 'open' }, domains]) {
      const { api } = await world.replica(settings);
      const email = world.freshEmail();
      const { id } = (await world.invite(world.admin, email, {}, api)).body as { id: string };
      expectProblem(await world.accept(email, 'twl_x', api), 'link_not_valid');
      expect((await world.accept(email, await world.tokenOf(id), api)).status).to.equal(201);
    }
    const off = await world.replica({ REGISTRATION: 'off' });
    const email = world.freshEmail();
    const { id } = await world.invited(world.admin, email);
    expectProblem(await world.accept(email, await world.tokenOf(id), off.api), 'registration_closed');
    expectProblem(await world.invite(world.admin, world.freshEmail(), {}, off.api), 'registration_closed');
  });
});
