import { expect } from 'chai';
import { newPassword, type AccountHarness } from './support/account-harness.ts';
import { expectProblem } from './support/api.ts';
import { loggedIn, password } from './support/auth-harness.ts';
import { mover, useMover, type Mover } from './support/email-changes.ts';

describe('undoing a change of address', () => {
  const given = useMover({ MAIL_REQUESTS_PER_IP: '1000' });
  const { request, tokenFor, confirm, undo, me, move, logInAs, detailOf, fresh } = given;
  let harness: AccountHarness;
  let person: Mover;
  beforeEach(() => ({ harness, person } = given));

  const emailOf = async (id: string) =>
    (await harness.rows<{ email: string }>('SELECT email FROM users WHERE id = $1', [id]))[0]?.email;
  const register = async (email: string) =>
    await harness.api.call('register', { body: { email, password, name: 'Another User' } });
  const aWeekLater = async () =>
    await harness.rows(
      `UPDATE account_links SET created_at = created_at - interval '7 days', expires_at = expires_at - interval '7 days'
       WHERE user_id = $1`,
      [person.id],
    );

  it("restores the address although the thief set a password, ends the thief's access, and leads to a new password", async () => {
    const undoing = await move(person, fresh('thief'));
    const body = { current_password: password, new_password: newPassword };
    const thief = (await harness.api.call('changePassword', { token: person.token, body })).body as {
      access_token: string;
      refresh_token: string;
    };
    await request({ ...person, token: thief.access_token }, fresh('next'), newPassword);
    const pending = await tokenFor(person.id, 'confirm_email', fresh('next'));
    await harness.forgot(fresh('thief'));
    await harness.service.mailRequests.tick();
    const reset = await tokenFor(person.id, 'reset', fresh('thief'));

    expect((await undo(undoing)).status).to.equal(204);
    expect(await emailOf(person.id)).to.equal(person.email);
    expectProblem(await harness.me(thief.access_token), 'access_revoked');
    const refreshed = await harness.api.call('refresh', { body: { refresh_token: thief.refresh_token } });
    expectProblem(refreshed, 'invalid_refresh_token');
    for (const known of [password, newPassword]) {
      for (const email of [person.email, fresh('thief')]) expect(await logInAs(email, known)).to.equal(401);
    }
    for (const answer of [await confirm(pending, { password: newPassword }), await harness.reset(reset)]) {
      expect(detailOf(answer)).to.include('The address of the account has changed');
    }
    const wanted = 'my very own horse battery';
    expect((await harness.reset(await tokenFor(person.id, 'reset', person.email), wanted)).status).to.equal(204);
    const session = (await harness.logIn(person.email, wanted)).body as { access_token: string };
    const mine = (await harness.me(session.access_token)).body;
    expect(mine).to.include({ email: person.email, email_verified: true }).and.not.have.property('pending_email');
  });

  it('reaches every service within a second by an event', async () => {
    await undo(await move(person, fresh('away')));
    const events = await harness.rows<{ type: string }>(
      `SELECT type FROM outbox WHERE payload->>'user_id' = $1 ORDER BY id DESC LIMIT 3`,
      [person.id],
    );
    expect(events.map(({ type }) => type)).to.deep.equal([
      'auth.account.password_reset_requested',
      'auth.account.access_ended',
      'auth.user.changed',
    ]);
  });

  it('works from the first of several addresses: a to b to c, and back to a', async () => {
    const fromA = await move(person, fresh('b'));
    const fromB = await move(person, fresh('c'));
    expect((await undo(fromA)).status).to.equal(204);
    expect(await emailOf(person.id)).to.equal(person.email);
    // address b was set by the attacker who had taken over the account
    expect(detailOf(await undo(fromB))).to.include('The address of the account has changed');
    expect(await emailOf(person.id)).to.equal(person.email);
  });

  it('works from the first address even after the second one has undone the last change', async () => {
    const fromA = await move(person, fresh('b'));
    const fromB = await move(person, fresh('c'));
    expect((await undo(fromB)).status).to.equal(204);
    expect(await emailOf(person.id)).to.equal(fresh('b'));
    expect((await undo(fromA)).status).to.equal(204);
    expect(await emailOf(person.id)).to.equal(person.email);
  });

  it('is impossible from an address in between after the owner has moved back manually', async () => {
    await move(person, fresh('b'));
    expect((await request(person, person.email)).status).to.equal(200);
    const back = await tokenFor(person.id, 'confirm_email', person.email);
    expect((await confirm(back, { as: person.token })).status).to.equal(204);
    expect(await me(person)).to.include({ email: person.email });
    const open = await harness.rows(
      `SELECT FROM account_links WHERE user_id = $1 AND purpose = 'undo_email' AND revoked_at IS NULL`,
      [person.id],
    );
    expect(open).to.deep.equal([]);
    // and address b is no longer reserved
    expect((await register(fresh('b'))).status).to.equal(201);
  });

  it('happens once: pressing the button again reports no error and changes nothing', async () => {
    const undoing = await move(person, fresh('twice'));
    const answers = await Promise.all(Array.from({ length: 10 }, async () => await undo(undoing)));
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([204]));
    await harness.reset(await tokenFor(person.id, 'reset', person.email));
    expect((await undo(undoing)).status).to.equal(204);
    expect(await logInAs(person.email, newPassword)).to.equal(200);
  });

  it('is possible for a week', async () => {
    const undoing = await move(person, fresh('kept'));
    await aWeekLater();
    expect(detailOf(await undo(undoing))).to.include('It has expired');
    expect(await me(person)).to.include({ email: fresh('kept') });
  });

  describe('the old address', () => {
    it('is reserved for its owner against registration, creation by an admin, and changes of other users', async () => {
      const undoing = await move(person, fresh('new'));
      const taken = person.email.toUpperCase();
      expectProblem(await register(taken), 'email_taken');
      const admin = await loggedIn(harness, 'admin');
      const body = { email: taken, password, name: 'Made', role: 'member' };
      expectProblem(await harness.api.call('createUser', { token: admin.token, body }), 'email_taken');
      const other = await mover(harness);
      expectProblem(await request(other, taken), 'email_taken');
      const params = { id: other.id };
      const byAdmin = await harness.api.call('changeUser', { token: admin.token, params, body: { email: taken } });
      expectProblem(byAdmin, 'email_taken');
      expect((await undo(undoing)).status).to.equal(204);
    });

    it('is protected from a change that was requested before the reservation', async () => {
      const other = await mover(harness);
      await request(other, fresh('x'));
      const waiting = await tokenFor(other.id, 'confirm_email', fresh('x'));
      await move(person, fresh('x'));
      await move(person, fresh('y'));
      expect(detailOf(await confirm(waiting, { as: other.token }))).to.include('can no longer be used');
      expect(await emailOf(other.id)).to.equal(other.email);
    });

    it('becomes available only after a week', async () => {
      await move(person, fresh('moved'));
      await aWeekLater();
      expect((await register(person.email)).status).to.equal(201);
    });

    it("can't be registered at the moment at which the account leaves it", async () => {
      for (let round = 0; round < 10; round++) {
        const one = await mover(harness);
        await request(one, `race-${one.id}@example.org`);
        const token = await tokenFor(one.id, 'confirm_email', `race-${one.id}@example.org`);
        const [confirmed, ...registered] = await Promise.all([
          confirm(token, { as: one.token }),
          register(one.email),
          register(one.email),
          register(one.email),
        ]);
        expect(confirmed.status).to.equal(204);
        for (const answer of registered) expectProblem(answer, 'email_taken');
      }
    });

    it('stays reserved after the account is deleted, and can undo the change once the account is restored', async () => {
      const undoing = await move(person, fresh('deleted'));
      await harness.api.call('deleteUser', { token: person.token, params: { id: person.id } });
      expect(detailOf(await undo(undoing))).to.include('The account was deleted');
      expectProblem(await register(person.email), 'email_taken');
      await harness.rows(`UPDATE users SET deleted_at = NULL, password_hash = '' WHERE id = $1`, [person.id]);
      expect((await undo(undoing)).status).to.equal(204);
      expect(await emailOf(person.id)).to.equal(person.email);
    });
  });
});
