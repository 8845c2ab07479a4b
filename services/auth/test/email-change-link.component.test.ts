import { expect } from 'chai';
import { type AccountHarness, type ReadableLink } from './support/account-harness.ts';
import { expectProblem } from './support/api.ts';
import { loggedIn, password } from './support/auth-harness.ts';
import { mover, useMover, type Mover } from './support/email-changes.ts';

describe('the link that confirms a change of e-mail address', () => {
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
      const refused = expectProblem(await confirm(token, as === undefined ? {} : { as }), 'current_password_required');
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

  it('ends without further detail if another account has taken the address', async () => {
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

  it('works for only one of two accounts that wait for the same address', async () => {
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
});
