import { expect } from 'chai';
import type { User } from '../src/app/ports/users.ts';
import {
  accountHarness,
  mailer,
  newPassword,
  type AccountHarness,
  type ReadableLink,
} from './support/account-harness.ts';
import { expectProblem } from './support/api.ts';
import { addUser, loggedIn, logIn, password, serviceToken } from './support/auth-harness.ts';
import { emailChanges, mover, type Mover } from './support/email-changes.ts';

describe('a change of e-mail address', () => {
  let harness: AccountHarness;
  let person: Mover;
  before(async () => {
    harness = await accountHarness({ MAIL_REQUESTS_PER_IP: '1000', LOGIN_FAILURES_PER_ACCOUNT_AND_IP: '3' });
  });
  after(async () => {
    await harness.stop();
  });
  beforeEach(async () => {
    person = await mover(harness);
  });

  const { request, tokenFor, confirm, me, move } = emailChanges(() => harness);
  const logInAs = async (email: string, wanted = password) => (await harness.logIn(email, wanted)).status;
  const detailOf = (answer: Parameters<typeof expectProblem>[0]) => expectProblem(answer, 'link_not_valid').detail;
  const fresh = (name: string) => `${name}-of-${person.id}@example.org`;
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

  describe('the link', () => {
    it('verifies the address and makes it the new log-in, while the session continues', async () => {
      const wanted = fresh('Fresh');
      await request(person, wanted);
      const token = await tokenFor(person.id, 'confirm_email', wanted);
      expect((await confirm(token, { as: person.token })).status).to.equal(204);
      expect(await me(person)).to.deep.include({ email: wanted, email_verified: true, version: 3 });
      expect(await me(person)).not.to.have.property('pending_email');
      expect(await logInAs(wanted.toUpperCase())).to.equal(200);
      expect(await logInAs(person.email)).to.equal(401);
      const audited = await harness.rows<{ action: string }>(
        'SELECT action FROM audit_log WHERE subject_id = $1 ORDER BY id',
        [person.id],
      );
      const actions = audited.map(({ action }) => action);
      expect(actions).to.include.members(['email.change.request', 'email.change', 'email.verify']);
    });

    it('takes effect once for any number of uses, all with the same response', async () => {
      await request(person, fresh('once'));
      const token = await tokenFor(person.id, 'confirm_email', fresh('once'));
      const uses = Array.from({ length: 20 }, async () => await confirm(token, { as: person.token }));
      const statuses = (await Promise.all(uses)).map(({ status }) => status);
      expect(new Set(statuses)).to.deep.equal(new Set([204]));
      expect((await confirm(token)).status).to.equal(204);
      expect(await me(person)).to.include({ version: 3 });
      const published = (await eventsOf(person.id)).filter((type) => type === 'auth.account.email_changed');
      expect(published).to.have.length(1);
    });

    it('mails the old address a link that undoes the change for a week', async () => {
      await move(person, fresh('notified'));
      const event = (await harness.linkEvents(person.id)).at(-1);
      expect(event?.type).to.equal('auth.account.email_changed');
      const answer = (await harness.readLink(event?.payload.link_id ?? '')).body as ReadableLink;
      expect(answer.email).to.equal(person.email);
      expect(answer.link).to.match(/\/oidc\/account\/undo_email\?token=twl_[\w-]{64}$/);
      expect(Date.parse(answer.expires_at) - Date.now()).to.be.within(604_700_000, 604_800_000);
    });

    it("is refused to a visitor who can only read the new mailbox, and would take over a stranger's account", async () => {
      const wanted = fresh('victim');
      await request(person, wanted);
      const token = await tokenFor(person.id, 'confirm_email', wanted);
      const stranger = await loggedIn(harness, 'member');
      for (const as of [undefined, stranger.token]) {
        const refused = expectProblem(
          await confirm(token, as === undefined ? {} : { as }),
          'current_password_required',
        );
        expect(refused.errors).to.deep.include({
          field: 'current_password',
          code: 'current_password_required',
          message: 'is required for this change',
        });
      }
      expectProblem(await confirm(token, { password: 'a guess' }), 'wrong_password');
      expect(await me(person)).to.include({ email: person.email, pending_email: wanted });
      // the link still works for a visitor who knows the password, in another browser
      expect((await confirm(token, { password })).status).to.equal(204);
      expect(await me(person)).to.include({ email: wanted });
    });

    it('works on a device that has logged in to the account', async () => {
      const login = await harness.logIn(person.email, password);
      const [cookie = ''] = login.headers.getSetCookie().map((header) => header.split(';')[0] ?? '');
      const other = await mover(harness);
      const theirs = (await harness.logIn(other.email, password)).headers.getSetCookie()[0]?.split(';')[0] ?? '';
      await request(person, fresh('device'));
      const token = await tokenFor(person.id, 'confirm_email', fresh('device'));
      expectProblem(await confirm(token, { cookie: theirs }), 'current_password_required');
      expect((await confirm(token, { cookie })).status).to.equal(204);
    });

    it('ends without further detail if another account was faster', async () => {
      const wanted = fresh('raced');
      await request(person, wanted);
      const token = await tokenFor(person.id, 'confirm_email', wanted);
      await harness.register(wanted);
      const answer = await confirm(token, { as: person.token });
      const says = 'The address can no longer be used for this account. Ask for a new one.';
      expect(detailOf(answer)).to.equal(says);
      expect(detailOf(await confirm(token, { as: person.token }))).to.equal(says);
      expect(await me(person))
        .to.include({ email: person.email })
        .and.not.have.property('pending_email');
      expect(await logInAs(person.email)).to.equal(200);
    });

    it('works for one of two accounts that wait for the same address', async () => {
      const wanted = fresh('shared');
      const rival = await mover(harness);
      await request(person, wanted);
      await request(rival, wanted);
      const tokens = [
        await tokenFor(person.id, 'confirm_email', wanted),
        await tokenFor(rival.id, 'confirm_email', wanted),
      ] as const;
      const answers = await Promise.all([
        confirm(tokens[0], { as: person.token }),
        confirm(tokens[1], { as: rival.token }),
      ]);
      expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([204, 422]);
    });
  });

  describe("an admin's request", () => {
    it('is confirmed from the new mailbox without a password, and the old address is notified', async () => {
      const admin = await loggedIn(harness, 'admin');
      const wanted = fresh('helped');
      const answer = await harness.api.call('changeUser', {
        token: admin.token,
        params: { id: person.id },
        body: { email: wanted },
      });
      expect(answer.body).to.include({ email: person.email, pending_email: wanted });
      const event = (await harness.linkEvents(person.id)).at(-1);
      const link = (await harness.readLink(event?.payload.link_id ?? '')).body as ReadableLink;
      expect(link.requested).to.include({ by: 'admin' });
      expect((await confirm(await tokenFor(person.id, 'confirm_email', wanted))).status).to.equal(204);
      expect(await me(person)).to.include({ email: wanted, email_verified: true });
      await tokenFor(person.id, 'undo_email', person.email);
    });

    it("is refused to users who aren't admins", async () => {
      for (const role of ['member', 'manager'] as const) {
        const { token } = await loggedIn(harness, role);
        const body = { email: fresh('stolen'), current_password: password };
        const answer = await harness.api.call('changeUser', { token, params: { id: person.id }, body });
        expectProblem(answer, 'forbidden');
      }
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
