import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expectProblem } from './support/api.ts';
import { authHarness, cheapPasswords, loggedIn, logIn, password, type AuthHarness } from './support/auth-harness.ts';
import { signed } from './support/stand-in-tokens.ts';

type User = { id: string; role: string };
type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;

describe('the end of access', () => {
  let harness: AuthHarness;
  let admin: LoggedIn;
  let manager: LoggedIn;
  let member: LoggedIn;

  before(async () => {
    harness = await authHarness({}, { passwords: cheapPasswords() });
  });
  after(async () => {
    await harness.stop();
  });
  beforeEach(async () => {
    admin = await loggedIn(harness, 'admin');
    manager = await loggedIn(harness, 'manager');
    member = await loggedIn(harness, 'member');
  });

  const change = async (token: string, id: string, body: object) =>
    await harness.api.call('changeUser', { token, params: { id }, body });
  const remove = async (token: string, id: string) => await harness.api.call('deleteUser', { token, params: { id } });

  it('follows a demotion: at once for earlier tokens, not for a new log-in', async () => {
    expect((await change(admin.token, manager.id, { role: 'member' })).status).to.equal(200);
    expectProblem(await harness.api.call('me', { token: manager.token }), 'access_revoked');
    expectProblem(await harness.api.call('listUsers', { token: manager.token }), 'access_revoked');
    expectProblem(
      await harness.api.call('refresh', { body: { refresh_token: manager.refreshToken } }),
      'invalid_refresh_token',
    );
    const again = await logIn(harness, manager.email);
    expect((await harness.api.call('me', { token: again.access_token })).body).to.include({ role: 'member' });
  });

  it('follows a deletion', async () => {
    expect((await remove(member.token, member.id)).status).to.equal(204);
    expectProblem(await harness.api.call('me', { token: member.token }), 'access_revoked');
    expectProblem(
      await harness.api.call('refresh', { body: { refresh_token: member.refreshToken } }),
      'invalid_refresh_token',
    );
    expectProblem(await harness.api.call('login', { body: { email: member.email, password } }), 'invalid_credentials');
  });

  it("doesn't follow a promotion; the new role takes effect at once", async () => {
    await change(admin.token, member.id, { role: 'manager' });
    expect((await harness.api.call('listUsers', { token: member.token })).status).to.equal(200);
  });

  it('ends tokens older than tokens_valid_after, and no others', async () => {
    const second = Math.floor(Date.now() / 1000) - 5;
    const sid = String(decodeJwt(member.token)['sid']);
    const claims = {
      sub: member.id,
      client_id: 'first-party',
      aud: 'urn:taskwire:auth',
      role: 'member' as const,
      sid,
    };
    const codeAt = async (iat: number, validAfter: number) => {
      await harness.database.db.pool.query(
        "UPDATE users SET tokens_valid_after = to_timestamp($2) + interval '1 microsecond' * $3 WHERE id = $1",
        [member.id, second, validAfter],
      );
      return (await harness.api.call('me', { token: await signed(harness, { ...claims, iat }) })).status;
    };
    expect(await codeAt(second - 1, 0)).to.equal(401);
    expect(await codeAt(second, 0)).to.equal(200);
    expect(await codeAt(second, 1)).to.equal(401);
    expect(await codeAt(second + 1, 1)).to.equal(200);
  });

  it('delays log-ins and refreshes that arrive while it is being written', async () => {
    const waiting = async () => {
      const { rows } = await harness.database.db.pool.query<{ count: number }>(
        "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      return rows[0]?.count === 2;
    };
    const answers = await harness.database.db.transaction(async (tx) => {
      await query(
        tx,
        "UPDATE users SET role = 'member', tokens_valid_after = clock_timestamp(), version = version + 1 WHERE id = $1",
        [manager.id],
      );
      await query(tx, "UPDATE sessions SET ended_at = now(), end_reason = 'user_demoted' WHERE user_id = $1", [
        manager.id,
      ]);
      const started = [
        harness.api.call('login', { body: { email: manager.email, password } }),
        harness.api.call('refresh', { body: { refresh_token: manager.refreshToken } }),
      ];
      await waitFor(waiting, { what: 'both to wait for the demotion' });
      return started;
    });
    expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal([401, 401]);
  });

  it('includes every concurrent log-in and refresh', async () => {
    const people = await Promise.all(Array.from({ length: 6 }, async () => await loggedIn(harness, 'manager')));
    const tokens = await Promise.all(
      people.map(async (person) => {
        const body = { email: person.email, password };
        const [one, two, three] = await Promise.all([
          harness.api.call('login', { body }),
          harness.api.call('refresh', { body: { refresh_token: person.refreshToken } }),
          harness.api.call('login', { body }),
          change(admin.token, person.id, { role: 'member' }),
        ]);
        for (const { status } of [one, two, three]) expect(status).to.be.oneOf([200, 401]);
        return [one, two, three].filter(({ status }) => status === 200).map((answer) => answer.body);
      }),
    );
    // tokens issued before the demotion are revoked; tokens issued after it are a member's
    for (const { access_token: token, user } of tokens.flat() as { access_token: string; user: User }[]) {
      const answer = await harness.api.call('me', { token });
      if (user.role === 'member') expect(answer.body).to.include({ role: 'member' });
      else expectProblem(answer, 'access_revoked');
    }
  });
});
