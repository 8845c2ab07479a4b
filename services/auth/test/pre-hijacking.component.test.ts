import { expect } from 'chai';
import { accountHarness, newPassword, type AccountHarness, type ReadableLink } from './support/account-harness.ts';
import { expectProblem, type Answer } from './support/api.ts';
import { addUser, loggedIn, logIn, password } from './support/auth-harness.ts';
import { emailChanges, type Mover } from './support/email-changes.ts';

// Sudhodanan & Paverd, "Pre-hijacked accounts", USENIX Security 2022: an attacker registers an account with the victim's address and leaves
// access in it. Here the registrant always knows the password, and the owner always reads the mailbox.
describe('an account that a stranger registered with the address of its owner', () => {
  let harness: AccountHarness;
  let registrant: Mover;
  let token: string;
  let people = 0;
  before(async () => {
    harness = await accountHarness({ MAIL_REQUESTS_PER_IP: '1000', AUTH_REQUIRE_VERIFIED_EMAIL: 'false' });
  });
  after(async () => {
    await harness.stop();
  });
  beforeEach(async () => {
    const { id, email } = await harness.register(`owner-${(people += 1)}@example.org`);
    const session = await logIn(harness, email);
    registrant = { id, email, token: session.access_token, refreshToken: session.refresh_token };
    token = await harness.lastToken(id);
  });

  const { request, tokenFor, confirm } = emailChanges(() => harness);
  const refresh = async (one: Mover) =>
    await harness.api.call('refresh', { body: { refresh_token: one.refreshToken } });
  const userRow = async () =>
    (
      await harness.rows<{ email: string; email_verified: boolean; pending_email: string | null }>(
        'SELECT email, email_verified, pending_email FROM users WHERE id = $1',
        [registrant.id],
      )
    )[0];

  async function expectMine(wanted: string): Promise<void> {
    expectProblem(await harness.me(registrant.token), 'access_revoked');
    expectProblem(await refresh(registrant), 'invalid_refresh_token');
    expectProblem(await harness.logIn(registrant.email, password), 'invalid_credentials');
    expect((await harness.logIn(registrant.email, wanted)).status).to.equal(200);
    expect(await userRow()).to.deep.equal({ email: registrant.email, email_verified: true, pending_email: null });
  }

  it("is not verified by a link alone: a visitor who isn't logged in must set its password, and the error says why", async () => {
    const answer = await harness.verify(token);
    expect(answer.status).to.equal(422);
    const refused = expectProblem(answer, 'new_password_required');
    expect(refused.errors?.[0]).to.include({ field: 'new_password', code: 'new_password_required' });
    expect(refused.detail).to.include('new_password').and.include('access token');
    expect(await userRow()).to.include({ email_verified: false });
    // neither the attempt without a password nor one with a weak password consumed the link
    expectProblem(await harness.claim(token, 'password1'), 'weak_password');
    expect((await harness.claim(token)).status).to.equal(204);
    await expectMine(newPassword);
  });

  it("belongs to the owner after verification: the registrant's sessions and password end", async () => {
    expect((await harness.claim(token)).status).to.equal(204);
    await expectMine(newPassword);
    const types = await harness.rows<{ type: string }>(
      `SELECT type FROM outbox WHERE payload->>'user_id' = $1 ORDER BY id DESC LIMIT 3`,
      [registrant.id],
    );
    expect(types.map(({ type }) => type)).to.have.members([
      'auth.user.changed',
      'auth.account.access_ended',
      'auth.account.password_changed',
    ]);
  });

  it('belongs to the owner after a reset by mail', async () => {
    expect((await harness.reset(await harness.resetToken(registrant))).status).to.equal(204);
    await expectMine(newPassword);
  });

  for (const [name, takeOver] of [
    ['verifies it', async () => await harness.claim(token)],
    ['resets its password', async () => await harness.reset(await harness.resetToken(registrant))],
  ] as [string, () => Promise<Answer>][]) {
    it(`doesn't move to another address that was requested before the owner ${name}`, async () => {
      const wanted = `attacker-of-${registrant.id}@example.org`;
      await request(registrant, wanted);
      const planted = await tokenFor(registrant.id, 'confirm_email', wanted);
      expect((await takeOver()).status).to.equal(204);
      for (const known of [password, newPassword]) {
        const detail = expectProblem(await confirm(planted, { password: known }), 'link_not_valid').detail;
        expect(detail).to.include('The password has been changed');
      }
      await expectMine(newPassword);
    });
  }

  it('is not verified by a visitor who is or was logged in to another account', async () => {
    const other = await loggedIn(harness, 'member');
    expectProblem(await harness.verify(token, other.token), 'new_password_required');
    await harness.api.call('logout', { token: other.token });
    expectProblem(await harness.verify(token, other.token), 'access_revoked');
    expectProblem(await harness.verify(token, 'not.a.token'), 'invalid_token');
    const cookie = (await harness.logIn(other.email, password)).headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const answer = await harness.api.call('verifyEmail', { body: { token }, headers: { cookie } });
    expectProblem(answer, 'new_password_required');
    expect(await userRow()).to.include({ email_verified: false });
  });

  it('keeps its password for the user who registered it: when logged in, or on the device of the registration', async () => {
    expect((await harness.verify(token, registrant.token)).status).to.equal(204);
    expect((await harness.me(registrant.token)).body).to.include({ email_verified: true, version: 2 });
    const body = { email: `device-${registrant.email}`, password, name: 'Dee' };
    const registered = await harness.api.call('register', { body });
    const [cookie = ''] = registered.headers.getSetCookie().map((header) => header.split(';')[0] ?? '');
    const { id } = registered.body as { id: string };
    const link = await harness.lastToken(id);
    const answer = await harness.api.call('verifyEmail', { body: { token: link }, headers: { cookie } });
    expect(answer.status).to.equal(204);
    expect((await harness.logIn(body.email, password)).status).to.equal(200);
  });

  it('is verified once: submitting the same form twice succeeds, with another password it fails', async () => {
    const answers = await Promise.all([harness.claim(token), harness.claim(token), harness.claim(token)]);
    expect(answers.map(({ status }) => status)).to.deep.equal([204, 204, 204]);
    expect((await harness.claim(token)).status).to.equal(204);
    expect((await harness.verify(token)).status).to.equal(204);
    expectProblem(await harness.claim(token, 'some other horse battery'), 'link_not_valid');
    await expectMine(newPassword);
  });

  it('is described in a mail with time and place of the registration, without any text from the registrant', async () => {
    const body = { email: `mail-${registrant.email}`, password, name: 'Free Money' };
    const headers = {
      'x-forwarded-for': '2001:db8:1:2::3',
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36 Buy Now',
    };
    const { id } = (await harness.api.call('register', { body, headers })).body as { id: string };
    const read = async () =>
      (await harness.readLink((await harness.linkEvents(id)).at(-1)?.payload.link_id ?? '')).body as ReadableLink;
    const link = await read();
    expect(link.requested).to.include({ by: 'registration', network: '2001:db8:1::/48', browser: 'Chrome on Linux' });
    expect(JSON.stringify(link)).not.to.match(/Money|Buy/);
    const month = 30 * 86_400_000;
    expect(Date.parse(link.deleted_unless_verified_by ?? '') - Date.now()).to.be.within(month - 60_000, month);
    await harness.api.call('requestVerification', { body: { email: body.email }, headers: { 'user-agent': 'curl/8' } });
    await harness.service.mailRequests.tick();
    expect((await read()).requested).to.include({ by: 'anyone', browser: null });
  });

  describe('an account that was never verified', () => {
    const age = async (id: string, days: number) =>
      await harness.rows('UPDATE users SET created_at = created_at - make_interval(days => $2) WHERE id = $1', [
        id,
        days,
      ]);
    const keepSchedule = async (service = harness.service) => {
      while ((await service.accountSchedule.tick()) === 'more');
    };
    const exists = async (id: string) =>
      (await harness.rows('SELECT FROM users WHERE id = $1 AND deleted_at IS NULL', [id])).length === 1;
    const register = async (name: string) => await harness.register(`${name}-${registrant.email}`);

    it('is deleted by the system after thirty days, like any account', async () => {
      const [old, young] = [await register('old'), await register('young')];
      await age(old.id, 31);
      await age(young.id, 29);
      await keepSchedule();
      expect([await exists(old.id), await exists(young.id)]).to.deep.equal([false, true]);
      const events = await harness.rows<{ type: string }>(
        `SELECT type FROM outbox WHERE aggregate_id = $1 ORDER BY id`,
        [old.id],
      );
      expect(events.map(({ type }) => type)).to.deep.equal(['auth.user.created', 'auth.user.deleted']);
      const audited = await harness.rows<{ actor_kind: string }>(
        `SELECT actor_kind FROM audit_log WHERE subject_id = $1 AND action = 'user.delete'`,
        [old.id],
      );
      expect(audited).to.deep.equal([{ actor_kind: 'system' }]);
      // the owner of the address can register it now
      await harness.register(old.email);
    });

    it('is kept if it was verified, was created by an admin, or was given a role', async () => {
      const [verified, promoted] = [await register('verified'), await register('promoted')];
      await harness.claim(await harness.lastToken(verified.id));
      const admin = await loggedIn(harness, 'admin');
      await harness.api.call('changeUser', {
        token: admin.token,
        params: { id: promoted.id },
        body: { role: 'manager' },
      });
      const made = await addUser(harness, 'member');
      for (const { id } of [verified, promoted, made]) await age(id, 400);
      await keepSchedule();
      for (const { id } of [verified, promoted, made]) expect(await exists(id)).to.equal(true);
    });

    it('is kept while its user is logged in, only where verification is optional', async () => {
      await age(registrant.id, 31);
      await keepSchedule();
      expect(await exists(registrant.id)).to.equal(true);
      const strict = await harness.replica({ AUTH_REQUIRE_VERIFIED_EMAIL: 'true' });
      await keepSchedule(strict.service);
      expect(await exists(registrant.id)).to.equal(false);
    });

    it('is deleted after the configured days, in batches, and only once although two replicas run', async () => {
      await harness.rows(
        `INSERT INTO users (id, email, name, role, email_verified, password_hash, self_registered, created_at, updated_at)
         SELECT uuidv7(), 'batch' || number || '@example.org', 'Batch', 'member', false, 'x', true, at, at
         FROM generate_series(1, 130) number, (SELECT clock_timestamp() - interval '3 days' AS at) stamp`,
      );
      const replicas = [
        await harness.replica({ UNVERIFIED_ACCOUNT_DAYS: '2' }),
        await harness.replica({ UNVERIFIED_ACCOUNT_DAYS: '2' }),
      ];
      await Promise.all(replicas.map(async ({ service }) => await keepSchedule(service)));
      const rows = await harness.rows<{ count: number; version: number }>(
        `SELECT count(*)::integer AS count, version FROM users WHERE name = 'Batch' AND deleted_at IS NOT NULL GROUP BY version`,
      );
      expect(rows).to.deep.equal([{ count: 130, version: 2 }]);
    });
  });
});
