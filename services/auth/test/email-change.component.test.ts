import { expect } from 'chai';
import type { User } from '../src/app/ports/users.ts';
import { mailer, newPassword, type AccountHarness, type ReadableLink } from './support/account-harness.ts';
import { expectProblem } from './support/api.ts';
import { addUser, loggedIn, logIn, password, serviceToken } from './support/auth-harness.ts';
import { useMover, type Mover } from './support/email-changes.ts';

describe('a change of e-mail address', () => {
  const given = useMover({ MAIL_REQUESTS_PER_IP: '1000', LOGIN_FAILURES_PER_ACCOUNT_AND_IP: '3' });
  const { request, tokenFor, confirm, me, move, logInAs, detailOf, fresh } = given;
  let harness: AccountHarness;
  let person: Mover;
  beforeEach(() => ({ harness, person } = given));

  const eventsOf = async (userId: string) =>
    (
      await harness.rows<{ type: string }>(`SELECT type FROM outbox WHERE payload->>'user_id' = $1 ORDER BY id`, [
        userId,
      ])
    ).map(({ type }) => type);

  describe('the request', () => {
    it('requires the current password, and otherwise mails and changes nothing', async () => {
      const before = await eventsOf(person.id);
      const body = { email: fresh('thief') };
      const params = { id: person.id };
      const without = await harness.api.call('changeUser', { token: person.token, params, body });
      const [field] = expectProblem(without, 'current_password_required').errors ?? [];
      expect(without.status).to.equal(422);
      expect(field).to.include({ field: 'current_password', code: 'current_password_required' });
      const [wrong] = expectProblem(await request(person, fresh('thief'), 'a guess'), 'wrong_password').errors ?? [];
      expect(wrong).to.include({ field: 'current_password' });
      expect(await eventsOf(person.id)).to.deep.equal(before);
      expect(await me(person))
        .to.deep.include({ email: person.email, version: 1 })
        .and.not.have.property('pending_email');
    });

    it('counts wrong passwords as failed log-ins', async () => {
      const statuses: number[] = [];
      for (let count = 0; count < 4; count++) statuses.push((await request(person, fresh('x'), 'a guess')).status);
      expect(statuses).to.deep.equal([422, 422, 422, 429]);
      // they share one budget
      expect(await logInAs(person.email)).to.equal(429);
    });

    it('requires the password from admins for their own address too', async () => {
      const admin = await loggedIn(harness, 'admin');
      const answer = await harness.api.call('changeUser', {
        token: admin.token,
        params: { id: admin.id },
        body: { email: fresh('admin') },
      });
      expectProblem(answer, 'current_password_required');
    });

    it('requires no password and no confirmation for another spelling of the address', async () => {
      const body = { email: person.email.toUpperCase() };
      const answer = await harness.api.call('changeUser', { token: person.token, params: { id: person.id }, body });
      expect(answer.body).to.include({ email: person.email.toUpperCase(), version: 2 });
      expect(answer.body).not.to.have.property('pending_email');
      expect(await eventsOf(person.id)).not.to.include('auth.account.email_change_requested');
    });

    it('is refused for an address with an account, and reveals no more than registration does', async () => {
      const other = await addUser(harness, 'member');
      expectProblem(await request(person, other.email.toUpperCase()), 'email_taken');
      // the response reveals nothing to a caller without the password
      expectProblem(await request(person, other.email, 'a guess'), 'wrong_password');
    });

    it('is limited to five an hour for one account, whatever the addresses', async () => {
      for (let count = 0; count < 5; count++) expect((await request(person, fresh(`n${count}`))).status).to.equal(200);
      const refused = await request(person, fresh('n5'));
      expectProblem(refused, 'rate_limited');
      expect(refused.headers.get('retry-after')).to.equal('3600');
    });
  });

  describe('the pending address', () => {
    it('changes nothing yet: log-in and resets use the old address', async () => {
      const wanted = fresh('new');
      const answer = await request(person, wanted);
      expect(answer.status).to.equal(200);
      expect(answer.body).to.include({ email: person.email, pending_email: wanted, version: 2 });
      expect(answer.headers.get('etag')).to.match(/^"2-/);
      expect(await me(person)).to.deep.equal(answer.body);
      expect(await logInAs(person.email)).to.equal(200);
      expect(await logInAs(wanted)).to.equal(401);
      await harness.forgot(wanted);
      await harness.resetToken(person);
      expect((await harness.linkEvents(person.id)).map(({ type }) => type)).to.deep.equal([
        'auth.account.verification_requested',
        'auth.account.email_change_requested',
        'auth.account.password_reset_requested',
      ]);
    });

    it('is mailed a link with the requester and the time, by an event of its own without addresses', async () => {
      const wanted = fresh('linked');
      const headers = { 'user-agent': 'Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0 <b>x</b>' };
      await harness.api.call('changeUser', {
        token: person.token,
        params: { id: person.id },
        body: { email: wanted, current_password: password },
        headers: { ...headers, 'x-forwarded-for': '198.51.100.77' },
      });
      const event = (await harness.linkEvents(person.id)).at(-1);
      expect(event?.type).to.equal('auth.account.email_change_requested');
      expect(Object.keys(event?.payload ?? {})).to.have.members(['user_id', 'link_id', 'timestamp']);
      expect(event?.aggregate_id).to.equal(event?.payload.link_id);
      const { email, link, requested, ...rest } = (await harness.readLink(event?.payload.link_id ?? ''))
        .body as ReadableLink;
      expect(email).to.equal(wanted);
      expect(link).to.match(/^http:\/\/localhost:8080\/oidc\/account\/confirm_email\?token=twl_[\w-]{64}$/);
      expect(requested).to.include({ by: 'account_holder', network: '198.51.100.0/24', browser: 'Firefox on Windows' });
      expect(Date.parse(requested?.at ?? '')).to.be.closeTo(Date.now(), 60_000);
      expect(Object.keys(rest)).to.deep.equal(['expires_at']);
    });

    it('is visible to the user and to admins, and not to managers or services', async () => {
      await request(person, fresh('seen'));
      const read = async (token: string) =>
        (await harness.api.call('getUser', { token, params: { id: person.id } })).body as User;
      expect(await read((await loggedIn(harness, 'admin')).token)).to.have.property('pending_email');
      const manager = await loggedIn(harness, 'manager');
      expect(await read(manager.token)).not.to.have.property('pending_email');
      const list = await harness.api.call('listUsers', { token: manager.token, query: { limit: '100' } });
      expect(list.text).not.to.include('pending_email');
      const service = await serviceToken(harness, mailer);
      const seen = await harness.api.call('getInternalUser', { token: service, params: { id: person.id } });
      expect(seen.text).not.to.include('pending_email');
    });

    it('is replaced by a newer request, and cancelled by the current address', async () => {
      await request(person, fresh('first'));
      const first = await tokenFor(person.id, 'confirm_email', fresh('first'));
      await request(person, fresh('second'));
      const second = await tokenFor(person.id, 'confirm_email', fresh('second'));
      expect(detailOf(await confirm(first, { as: person.token }))).to.include('A newer one was sent');
      const body = { email: person.email };
      const kept = await harness.api.call('changeUser', { token: person.token, params: { id: person.id }, body });
      expect(kept.body).to.include({ email: person.email, version: 4 }).and.not.have.property('pending_email');
      expect(detailOf(await confirm(second, { as: person.token }))).to.include('was cancelled');
    });

    const endings: Record<string, { end: () => Promise<unknown>; says: string }> = {
      'a new password': {
        end: async () =>
          await harness.api.call('changePassword', {
            token: person.token,
            body: { current_password: password, new_password: newPassword },
          }),
        says: 'The password has been changed',
      },
      'a reset by mail': {
        end: async () => await harness.reset(await harness.resetToken(person)),
        says: 'The password has been changed',
      },
      'a log-out everywhere': {
        end: async () => await harness.api.call('logoutEverywhere', { token: person.token }),
        says: 'All sessions of the account were ended',
      },
      'a deletion of the account': {
        end: async () => await harness.api.call('deleteUser', { token: person.token, params: { id: person.id } }),
        says: 'The account was deleted',
      },
    };
    for (const [name, { end, says }] of Object.entries(endings)) {
      it(`is cancelled by ${name}`, async () => {
        await request(person, fresh('pending'));
        const token = await tokenFor(person.id, 'confirm_email', fresh('pending'));
        await end();
        expect(detailOf(await confirm(token, { password }))).to.include(says);
        const [row] = await harness.rows('SELECT email, pending_email FROM users WHERE id = $1', [person.id]);
        expect(row).to.deep.equal({ email: person.email, pending_email: null });
      });
    }

    it('expires, with a new version of the user', async () => {
      await request(person, fresh('late'));
      const token = await tokenFor(person.id, 'confirm_email', fresh('late'));
      await harness.service.accountSchedule.tick();
      expect(await me(person)).to.include({ version: 2, pending_email: fresh('late') });
      await harness.rows('UPDATE account_links SET expires_at = clock_timestamp() WHERE user_id = $1', [person.id]);
      expect(detailOf(await confirm(token, { as: person.token }))).to.include('It has expired');
      await harness.service.accountSchedule.tick();
      expect(await me(person))
        .to.include({ version: 3 })
        .and.not.have.property('pending_email');
      await harness.service.accountSchedule.tick();
      expect(await me(person)).to.include({ version: 3 });
    });
  });

  it('appears in no event and no log line', async () => {
    const wanted = fresh('nowhere');
    await move(person, wanted);
    await logIn(harness, wanted);
    expect(await harness.rows(`SELECT FROM outbox o WHERE strpos(o::text, $1) > 0`, [wanted])).to.deep.equal([]);
    expect(await harness.rows(`SELECT FROM audit_log a WHERE strpos(a::text, $1) > 0`, [wanted])).to.deep.equal([]);
    expect(harness.logLines.join('')).not.to.include(wanted);
  });
});
