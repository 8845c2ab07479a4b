import { expect } from 'chai';
import { accountHarness, newPassword, type AccountHarness } from './support/account-harness.ts';
import { expectProblem, type Answer } from './support/api.ts';
import { addUser, loggedIn, logIn, password } from './support/auth-harness.ts';

type Session = { access_token: string; refresh_token: string };

describe('passwords', () => {
  let harness: AccountHarness;
  before(async () => {
    harness = await accountHarness({ LOGIN_FAILURES_PER_ACCOUNT_AND_IP: '3', MAIL_REQUESTS_PER_IP: '8' });
  });
  after(async () => {
    await harness.stop();
  });

  const refresh = async (token: string) => await harness.api.call('refresh', { body: { refresh_token: token } });
  const change = async (
    token: string,
    {
      current = password,
      wanted = newPassword,
      headers = {},
    }: Partial<Record<'current' | 'wanted', string>> & {
      headers?: Record<string, string>;
    } = {},
  ) =>
    await harness.api.call('changePassword', {
      token,
      body: { current_password: current, new_password: wanted },
      headers,
    });

  /** The user's account events, oldest first. */
  async function announced(id: string): Promise<string[]> {
    const found = await harness.rows<{ type: string }>(
      `SELECT type FROM outbox WHERE payload->>'user_id' = $1 ORDER BY id`,
      [id],
    );
    return found.map(({ type }) => type);
  }

  async function expectEnded(session: Session): Promise<void> {
    expectProblem(await harness.me(session.access_token), 'access_revoked');
    expectProblem(await refresh(session.refresh_token), 'invalid_refresh_token');
  }

  describe('a forgotten password', () => {
    it('is requested with the same response and one row, with or without an account', async () => {
      const user = await addUser(harness, 'member');
      const state = async () =>
        await harness.rows<{ links: string; events: string; entries: string }>(
          `SELECT (SELECT count(*) FROM account_links) AS links, (SELECT count(*) FROM outbox) AS events,
            (SELECT count(*) FROM audit_log) AS entries`,
        );
      const before = await state();
      const answers = [await harness.forgot(user.email), await harness.forgot('unknown@example.org')];
      for (const { status, text } of answers) expect([status, text]).to.deep.equal([202, '']);
      const headers = answers.map((answer) => [...answer.headers.keys()].toSorted());
      expect(headers[0]).to.deep.equal(headers[1]);
      // the request itself looks up no account; a worker does this later
      expect(await state()).to.deep.equal(before);
      const requests = await harness.rows('SELECT purpose, email FROM mail_requests ORDER BY id');
      expect(requests).to.deep.equal([
        { purpose: 'reset_password', email: user.email },
        { purpose: 'reset_password', email: 'unknown@example.org' },
      ]);
      await harness.service.mailRequests.tick();
      expect(await harness.rows('SELECT FROM mail_requests')).to.deep.equal([]);
      expect(await announced(user.id)).to.include('auth.account.password_reset_requested');
    });

    it('is requested too often without a visible refusal, and the last link stays valid', async () => {
      const user = await addUser(harness, 'member');
      const token = await harness.resetToken(user);
      for (const email of [user.email, 'no.such.account@example.org']) {
        for (let count = 0; count < 7; count++) expect((await harness.forgot(email)).status).to.equal(202);
      }
      const waiting = await harness.rows<{ count: number }>('SELECT count(*)::integer AS count FROM mail_requests');
      expect(waiting).to.deep.equal([{ count: 9 }]);
      await harness.service.mailRequests.tick();
      expect(expectProblem(await harness.reset(token), 'link_not_valid').detail).to.include('A newer one');
      expect((await harness.reset(await harness.lastToken(user.id))).status).to.equal(204);
    });

    it('is requested a limited number of times by one network', async () => {
      const headers = harness.freshIp();
      const statuses: number[] = [];
      for (let count = 0; count < 9; count++) {
        statuses.push((await harness.forgot(`person-${count}@example.org`, headers)).status);
      }
      expect(statuses).to.deep.equal([...Array<number>(8).fill(202), 429]);
      await harness.service.mailRequests.tick();
    });

    it('is processed by one of two workers', async () => {
      const users = [];
      for (let count = 0; count < 6; count++) users.push(await addUser(harness, 'member'));
      for (const { email } of users) await harness.forgot(email);
      const second = await harness.replica();
      await Promise.all([harness.service.mailRequests.tick(), second.service.mailRequests.tick()]);
      for (const { id } of users) {
        const asked = (await announced(id)).filter((type) => type === 'auth.account.password_reset_requested');
        expect(asked).to.have.length(1);
      }
    });
  });

  describe('a reset', () => {
    it('admits the new password and not the old one, ends all sessions, and verifies the address', async () => {
      const user = await harness.register('reset@example.org');
      const sessions = [await logIn(harness, user.email), await logIn(harness, user.email)];
      expect((await harness.reset(await harness.resetToken(user))).status).to.equal(204);
      for (const session of sessions) await expectEnded(session);
      expectProblem(await harness.logIn(user.email, password), 'invalid_credentials');
      const session = (await harness.logIn(user.email, newPassword)).body as Session;
      expect((await harness.me(session.access_token)).body).to.include({ email_verified: true, version: 2 });
      const types = (await announced(user.id)).slice(-3);
      expect(types).to.deep.equal(['auth.user.changed', 'auth.account.access_ended', 'auth.account.password_changed']);
    });

    it('succeeds for only one of a hundred concurrent uses', async () => {
      const user = await addUser(harness, 'member');
      const token = await harness.resetToken(user);
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => await harness.reset(token, `${newPassword} ${index}`)),
      );
      const changes = (await announced(user.id)).filter((type) => type === 'auth.account.password_changed');
      expect(changes).to.have.length(1);
      const statuses = answers.map(({ status }) => status);
      // on a busy machine, the one that succeeds may be answered with 503, like any request that takes too long
      const succeeded = statuses.filter((status) => status === 204);
      expect(succeeded.length, statuses.join(' ')).to.equal(statuses.includes(503) ? Math.min(succeeded.length, 1) : 1);
      if (succeeded.length === 1) {
        const login = await harness.logIn(user.email, `${newPassword} ${statuses.indexOf(204)}`);
        expect(login.status).to.equal(200);
      }
    });

    it('changes nothing if the new password is rejected, and leaves the link valid', async () => {
      const user = await addUser(harness, 'member');
      const token = await harness.resetToken(user);
      expectProblem(await harness.reset(token, 'short'), 'invalid_input');
      expectProblem(await harness.reset(token, user.email), 'weak_password');
      expect((await harness.logIn(user.email, password)).status).to.equal(200);
      expect((await harness.reset(token)).status).to.equal(204);
    });
  });

  describe('a change', () => {
    it('ends every session, and gives the caller a new one', async () => {
      const user = await loggedIn(harness, 'member');
      const other = await logIn(harness, user.email);
      const answer = await change(user.token);
      expect(answer.status, answer.text).to.equal(200);
      await expectEnded({ access_token: user.token, refresh_token: user.refreshToken });
      await expectEnded(other);
      const session = answer.body as Session;
      expect((await harness.me(session.access_token)).status).to.equal(200);
      expect((await refresh(session.refresh_token)).status).to.equal(200);
      expectProblem(await harness.logIn(user.email, password), 'invalid_credentials');
      expect((await harness.logIn(user.email, newPassword)).status).to.equal(200);
      const [ended] = await harness.rows<{ reasons: string[] }>(
        `SELECT array_agg(DISTINCT end_reason) AS reasons FROM sessions WHERE user_id = $1 AND ended_at IS NOT NULL`,
        [user.id],
      );
      expect(ended?.reasons).to.deep.equal(['password_changed']);
    });

    it('revokes a reset that was requested before', async () => {
      const user = await loggedIn(harness, 'member');
      const token = await harness.resetToken(user);
      await change(user.token);
      expect(expectProblem(await harness.reset(token), 'link_not_valid').detail).to.include('has been changed');
    });

    it('requires the current password, and counts wrong ones as failed log-ins', async () => {
      const user = await loggedIn(harness, 'member');
      const headers = harness.freshIp();
      for (let count = 0; count < 3; count++) {
        const answer = await change(user.token, { current: 'wrong', headers });
        expect(answer.status).to.equal(422);
        expect(expectProblem(answer, 'wrong_password').errors?.[0]?.field).to.equal('current_password');
      }
      expect((await change(user.token, { headers })).status).to.equal(429);
      expect((await harness.me(user.token)).status).to.equal(200);
      const [entry] = await harness.rows<{ reason: string; outcome: string }>(
        `SELECT reason, outcome FROM audit_log WHERE action = 'password.change' AND subject_id = $1 LIMIT 1`,
        [user.id],
      );
      expect(entry).to.deep.equal({ reason: 'wrong_password', outcome: 'failure' });
    });

    it('succeeds for exactly one of several concurrent requests', async () => {
      const user = await loggedIn(harness, 'member');
      const answers: Answer[] = await Promise.all(
        Array.from({ length: 3 }, async (_, index) => await change(user.token, { wanted: `${newPassword} ${index}` })),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      expect((await harness.me((won[0]!.body as Session).access_token)).status).to.equal(200);
    });
  });

  describe('logging out everywhere', () => {
    it('ends every session of the user and of no other user', async () => {
      const user = await loggedIn(harness, 'member');
      const sessions = [
        await logIn(harness, user.email),
        { access_token: user.token, refresh_token: user.refreshToken },
      ];
      const neighbour = await loggedIn(harness, 'member');
      expect((await harness.api.call('logoutEverywhere', { token: user.token })).status).to.equal(204);
      for (const session of sessions) await expectEnded(session);
      expect((await harness.me(neighbour.token)).status).to.equal(200);
      expect((await announced(user.id)).slice(-2)).to.deep.equal(['auth.user.changed', 'auth.account.access_ended']);
      const again = await logIn(harness, user.email);
      expect((await harness.me(again.access_token)).status).to.equal(200);
    });
  });
});
