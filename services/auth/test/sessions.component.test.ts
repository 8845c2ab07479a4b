import { userScopes } from '@taskwire/contracts';
import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { expectProblem } from './support/api.ts';
import {
  addUser,
  authHarness,
  cheapPasswords,
  loggedIn,
  logIn,
  password,
  type AuthHarness,
} from './support/auth-harness.ts';

type Session = {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  user: { id: string; email: string; role: string };
};

describe('sessions of Auth', () => {
  let harness: AuthHarness;
  before(async () => {
    harness = await authHarness({}, { passwords: cheapPasswords() });
  });
  after(async () => {
    await harness.stop();
  });

  const me = async (token: string) => await harness.api.call('me', { token });
  const refresh = async (token: string) => await harness.api.call('refresh', { body: { refresh_token: token } });

  describe('registration', () => {
    it('creates a member who can log in', async () => {
      const account = { email: 'Rosa@Example.org', password, name: 'Rosa' };
      const made = await harness.api.call('register', { body: account });
      expect(made.status).to.equal(201);
      expect(made.body).to.include({ email: 'Rosa@Example.org', name: 'Rosa', role: 'member', version: 1 });
      const session = await logIn(harness, 'rosa@example.ORG');
      const mine = await me(session.access_token);
      expect(mine.body).to.deep.equal(made.body);
      expect(mine.headers.get('etag')).to.match(/^"1-/);
    });

    it('refuses a taken address in any case', async () => {
      await addUser(harness, 'member', { email: 'taken@example.org' });
      const again = await harness.api.call('register', {
        body: { email: ' TAKEN@example.org ', password, name: 'Another' },
      });
      expect(again.status).to.equal(409);
      expect(expectProblem(again, 'email_taken').errors?.[0]?.field).to.equal('email');
    });

    it('lets one of many concurrent registrations with the same address win', async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, async (_, index) => {
          const email = index % 2 === 0 ? 'race@example.org' : 'RACE@example.org';
          return await harness.api.call('register', { body: { email, password, name: `Racer ${index}` } });
        }),
      );
      expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([201, ...Array<number>(7).fill(409)]);
    });

    it('lets no caller choose a role, an id or a state', async () => {
      for (const field of ['role', 'id', 'email_verified', 'version', 'is_deleted']) {
        const answer = await harness.api.call('register', {
          body: { email: 'mass@example.org', password, name: 'Mass', [field]: 'admin' },
        });
        expect(answer.status).to.equal(422);
        expect(expectProblem(answer, 'invalid_input').errors).to.deep.include.members([
          { field, code: 'unknown_field', message: 'is not a field of this request' },
        ]);
      }
    });

    it('releases the address of a deleted user', async () => {
      const before = await addUser(harness, 'member', { email: 'free@example.org' });
      const { access_token: token } = await logIn(harness, 'free@example.org');
      expect((await harness.api.call('deleteUser', { token, params: { id: before.id } })).status).to.equal(204);
      const next = await harness.api.call('register', { body: { email: 'free@example.org', password, name: 'Next' } });
      expect(next.status).to.equal(201);
      expect((next.body as { id: string }).id).not.to.equal(before.id);
    });
  });

  describe('log-in', () => {
    it('issues an access token of RFC 9068 for every service, and a refresh token', async () => {
      const user = await addUser(harness, 'manager');
      const answer = await harness.api.call('login', { body: { email: user.email, password } });
      const session = answer.body as Session;
      expect(session.expires_in).to.equal(600);
      expect(answer.headers.get('cache-control')).to.equal('no-store');
      const claims = decodeJwt(session.access_token);
      expect(claims).to.include({
        iss: 'http://localhost:8080/oidc',
        sub: user.id,
        client_id: 'first-party',
        scope: userScopes.join(' '),
        role: 'manager',
      });
      // one statement sets both, but their values may differ by a second
      expect(claims['auth_time']).to.be.closeTo(Number(claims['iat']), 1);
      expect(claims.aud).to.deep.equal(['urn:taskwire:auth', 'urn:taskwire:tasks', 'urn:taskwire:notifications']);
      expect((claims.exp ?? 0) - (claims.iat ?? 0)).to.equal(600);
      expect(claims).to.have.property('sid').that.is.a('string');
      expect(claims).to.have.property('jti').that.is.a('string');
      const header = decodeProtectedHeader(session.access_token);
      expect(header).to.include({ alg: 'ES256', typ: 'at+jwt' });
      const jwks = (await harness.api.call('jwks')).body as { keys: Record<string, unknown>[] };
      expect(jwks.keys.map(({ kid }) => kid)).to.include(header.kid);
      for (const key of jwks.keys) expect(key).not.to.have.property('d');
    });

    it('responds to a wrong password, an unknown account, a deleted one and nonsense in the same way', async () => {
      const user = await addUser(harness, 'member');
      const gone = await loggedIn(harness, 'member');
      await harness.api.call('deleteUser', { token: gone.token, params: { id: gone.id } });
      const attempts = [
        user.email,
        gone.email,
        'unknown@example.org',
        'no address',
        'nul\u0000@example.org',
        "' OR 1=1 --",
      ];
      const answers = await Promise.all(
        attempts.map(
          async (email) => await harness.api.call('login', { body: { email, password: 'a wrong password' } }),
        ),
      );
      const problems = answers.map((answer) => ({ ...expectProblem(answer, 'invalid_credentials'), request_id: '' }));
      for (const problem of problems) expect(problem).to.deep.equal(problems[0]);
      const headers = answers.map((answer) => [...answer.headers.keys()].toSorted());
      for (const names of headers) expect(names).to.deep.equal(headers[0]);
    });

    it('stores hashes only: no token and no password is anywhere in the database', async () => {
      const user = await addUser(harness, 'member');
      const session = await logIn(harness, user.email);
      const { rows } = await harness.database.db.pool.query<{ text: string }>(
        `SELECT t::text AS text FROM refresh_tokens t UNION ALL SELECT s::text FROM sessions s
         UNION ALL SELECT u::text FROM users u UNION ALL SELECT o::text FROM outbox o
         UNION ALL SELECT k::text FROM signing_keys k UNION ALL SELECT l::text FROM rate_limits l`,
      );
      const everything = rows.map(({ text }) => text).join('\n');
      const secret = session.refresh_token.slice('twr_'.length);
      expect(everything).not.to.contain(secret);
      expect(everything).not.to.contain(Buffer.from(session.refresh_token).toString('hex'));
      expect(everything).not.to.contain(password);
    });
  });

  describe('refresh', () => {
    it('issues new tokens in the same session, with the current role', async () => {
      const user = await loggedIn(harness, 'member');
      const admin = await loggedIn(harness, 'admin');
      await harness.api.call('changeUser', { token: admin.token, params: { id: user.id }, body: { role: 'manager' } });
      const answer = await refresh(user.refreshToken);
      expect(answer.status).to.equal(200);
      const session = answer.body as Session;
      expect(session.refresh_token).not.to.equal(user.refreshToken);
      expect(session.user.role).to.equal('manager');
      const [before, after] = [decodeJwt(user.token), decodeJwt(session.access_token)];
      expect(after['role']).to.equal('manager');
      expect(after['sid']).to.equal(before['sid']);
      expect(after.jti).not.to.equal(before.jti);
      expect((await me(session.access_token)).status).to.equal(200);
    });

    it('ends the whole session when a token is reused', async () => {
      const user = await loggedIn(harness, 'member');
      const second = (await refresh(user.refreshToken)).body as Session;
      const third = (await refresh(second.refresh_token)).body as Session;
      expectProblem(await refresh(user.refreshToken), 'invalid_refresh_token');
      expectProblem(await refresh(third.refresh_token), 'invalid_refresh_token');
      expectProblem(await me(third.access_token), 'access_revoked');
    });

    it('leaves other sessions of the user unaffected when one ends', async () => {
      const user = await loggedIn(harness, 'member');
      const other = await logIn(harness, user.email);
      await refresh(user.refreshToken);
      await refresh(user.refreshToken);
      expect((await me(other.access_token)).status).to.equal(200);
      expect((await refresh(other.refresh_token)).status).to.equal(200);
    });

    it('gives the same successor to two tabs, or a hundred, that refresh at once, so that all stay logged in', async () => {
      const user = await loggedIn(harness, 'member');
      const second = await harness.replica();
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const api = index % 2 === 0 ? harness.api : second.api;
          return await api.call('refresh', { body: { refresh_token: user.refreshToken } });
        }),
      );
      expect(answers.map(({ status }) => status)).to.deep.equal(Array(100).fill(200));
      const sessions = answers.map(({ body }) => body as Session);
      const [successor, ...others] = new Set(sessions.map(({ refresh_token: token }) => token));
      expect(others).to.deep.equal([]);
      for (const session of sessions) expect((await me(session.access_token)).status).to.equal(200);
      expect((await refresh(successor ?? '')).status).to.equal(200);
    });

    it('never gives a reused token a successor that has itself been used, not even within the grace period', async () => {
      const user = await loggedIn(harness, 'member');
      const next = (await refresh(user.refreshToken)).body as Session;
      const last = (await refresh(next.refresh_token)).body as Session;
      expectProblem(await refresh(user.refreshToken), 'invalid_refresh_token');
      expectProblem(await me(last.access_token), 'access_revoked');
    });

    it('ends the session when a token is reused after the grace period', async () => {
      const user = await loggedIn(harness, 'member');
      const next = (await refresh(user.refreshToken)).body as Session;
      await harness.database.db.pool.query(
        `UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds' FROM sessions
         WHERE sessions.id = session_id AND sessions.user_id = $1 AND used_at IS NOT NULL`,
        [user.id],
      );
      expectProblem(await refresh(user.refreshToken), 'invalid_refresh_token');
      expectProblem(await refresh(next.refresh_token), 'invalid_refresh_token');
      expectProblem(await me(next.access_token), 'access_revoked');
    });

    it('lets one of a hundred concurrent uses win without a grace period, and ends the session', async () => {
      const strict = await harness.replica({ REFRESH_GRACE_SECONDS: '0' });
      const user = await loggedIn(harness, 'member');
      const use = async () => await strict.api.call('refresh', { body: { refresh_token: user.refreshToken } });
      const answers = await Promise.all(Array.from({ length: 100 }, use));
      const won = answers.filter(({ status }) => status === 200);
      expect(won).to.have.length(1);
      for (const answer of answers) if (answer !== won[0]) expectProblem(answer, 'invalid_refresh_token');
      const session = won[0]?.body as Session;
      expectProblem(await refresh(session.refresh_token), 'invalid_refresh_token');
      expectProblem(await me(session.access_token), 'access_revoked');
      const { rows } = await harness.database.db.pool.query<{ end_reason: string; tokens: number }>(
        `SELECT end_reason, (SELECT count(*)::int FROM refresh_tokens WHERE session_id = sessions.id) AS tokens
         FROM sessions WHERE user_id = $1`,
        [user.id],
      );
      expect(rows).to.deep.equal([{ end_reason: 'refresh_token_reuse', tokens: 2 }]);
    });

    it('refuses an unknown token', async () => {
      for (const token of ['nonsense', 'twr_' + 'A'.repeat(43), '\u0000', 'ä'.repeat(900)]) {
        expectProblem(await refresh(token), 'invalid_refresh_token');
      }
    });

    it('refuses an expired token, and a token of an expired session', async () => {
      const [first, second] = [await loggedIn(harness, 'member'), await loggedIn(harness, 'member')];
      const past = "clock_timestamp() - interval '1 second'";
      await harness.database.db.pool.query(
        `UPDATE refresh_tokens SET expires_at = ${past} FROM sessions
         WHERE sessions.id = session_id AND sessions.user_id = $1`,
        [first.id],
      );
      await harness.database.db.pool.query(`UPDATE sessions SET expires_at = ${past} WHERE user_id = $1`, [second.id]);
      expectProblem(await refresh(first.refreshToken), 'invalid_refresh_token');
      expectProblem(await refresh(second.refreshToken), 'invalid_refresh_token');
      expectProblem(await me(second.token), 'access_revoked');
    });
  });

  describe('log-out', () => {
    it('ends the session with both of its tokens', async () => {
      const user = await loggedIn(harness, 'member');
      const answer = await harness.api.call('logout', { token: user.token });
      expect(answer.status).to.equal(204);
      expectProblem(await me(user.token), 'access_revoked');
      expectProblem(await refresh(user.refreshToken), 'invalid_refresh_token');
    });

    it('leaves other sessions of the user unaffected', async () => {
      const user = await loggedIn(harness, 'member');
      const other = await logIn(harness, user.email);
      await harness.api.call('logout', { token: user.token });
      expect((await me(other.access_token)).status).to.equal(200);
      expect((await refresh(other.refresh_token)).status).to.equal(200);
    });
  });

  it('purges expired rows only', async () => {
    const [old, young] = [await loggedIn(harness, 'member'), await loggedIn(harness, 'member')];
    await harness.database.db.pool.query(
      `UPDATE sessions SET expires_at = clock_timestamp() - interval '8 days' WHERE user_id = $1`,
      [old.id],
    );
    await harness.database.db.pool.query(
      `INSERT INTO rate_limits SELECT 'old-' || n, 1, 1 FROM generate_series(1, 1500) n`,
    );
    expect(await harness.service.retention.tick()).to.equal('more');
    expect(await harness.service.retention.tick()).to.equal('idle');
    const { rows } = await harness.database.db.pool.query<{ user_id: string }>(
      'SELECT user_id FROM sessions WHERE user_id IN ($1, $2)',
      [old.id, young.id],
    );
    expect(rows).to.deep.equal([{ user_id: young.id }]);
    expect((await refresh(young.refreshToken)).status).to.equal(200);
    const limits = await harness.database.db.pool.query("SELECT FROM rate_limits WHERE key LIKE 'old-%'");
    expect(limits.rowCount).to.equal(0);
  });
});
