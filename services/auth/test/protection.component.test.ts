import { expect } from 'chai';
import { Registry } from 'prom-client';
import { waitFor } from '@taskwire/testing';
import type { Passwords } from '../src/app/ports/passwords.ts';
import { owaspCost } from '../src/passwords/argon2id.ts';
import { createPasswords } from '../src/passwords/passwords.ts';
import { expectProblem, type Answer, type Api } from './support/api.ts';
import { addUser, authHarness, cheapPasswords, loggedIn, password, type AuthHarness } from './support/auth-harness.ts';

describe('protection of accounts', () => {
  const verified: boolean[] = [];
  const cheap = cheapPasswords();
  const counting: Passwords = {
    ...cheap,
    async verify(text, hash) {
      verified.push(hash !== undefined);
      return await cheap.verify(text, hash);
    },
  };
  const limits = {
    LOGIN_FAILURES_PER_ACCOUNT_AND_IP: '3',
    LOGIN_FAILURES_PER_IP: '10',
    REGISTRATIONS_PER_IP: '4',
  };
  let harness: AuthHarness;
  before(async () => {
    harness = await authHarness(limits, { passwords: counting });
  });
  after(async () => {
    await harness.stop();
  });

  let network = 0;
  /** An address that no test has used. */
  const freshIp = () => `198.51.100.${(network += 1)}`;

  async function attempt(email: string, given: { ip: string; password?: string; api?: Api }) {
    return await (given.api ?? harness.api).call('login', {
      body: { email, password: given.password ?? 'a wrong password' },
      headers: { 'x-forwarded-for': given.ip },
    });
  }

  it('does the same work for an existing and an unknown account', async () => {
    const user = await addUser(harness, 'member');
    verified.length = 0;
    const [ip, other] = [freshIp(), freshIp()];
    await attempt(user.email, { ip });
    await attempt('unknown@example.org', { ip: other });
    await attempt('not an address', { ip: other });
    expect(verified).to.deep.equal([true, false, false]);
  });

  it('limits failed log-ins to one account from one address, and says when to retry', async () => {
    const user = await addUser(harness, 'member');
    const ip = freshIp();
    for (let count = 0; count < 3; count++) expect((await attempt(user.email, { ip })).status).to.equal(401);
    const answer = await attempt(user.email.toUpperCase(), { ip, password });
    expect(answer.status).to.equal(429);
    expectProblem(answer, 'rate_limited');
    expect(Number(answer.headers.get('retry-after'))).to.be.within(800, 900);
  });

  it('admits the owner from another address during guessing', async () => {
    const user = await addUser(harness, 'member');
    const attacker = freshIp();
    for (let count = 0; count < 6; count++) await attempt(user.email, { ip: attacker });
    expect((await attempt(user.email, { ip: attacker, password })).status).to.equal(429);
    expect((await attempt(user.email, { ip: freshIp(), password })).status).to.equal(200);
  });

  it('responds to the limit in the same way for an unknown account', async () => {
    const ip = freshIp();
    for (let count = 0; count < 3; count++) expect((await attempt('no@example.org', { ip })).status).to.equal(401);
    expect((await attempt('no@example.org', { ip })).status).to.equal(429);
  });

  it('lets no concurrent guesses through', async () => {
    const user = await addUser(harness, 'member');
    const ip = freshIp();
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await attempt(user.email, { ip })));
    expect(answers.filter(({ status }) => status === 401)).to.have.length(3);
    expect(answers.filter(({ status }) => status === 429)).to.have.length(17);
  });

  it('limits failures of one address across all accounts and all replicas', async () => {
    const ip = freshIp();
    const second = await harness.replica();
    for (let count = 0; count < 10; count++) {
      const api = count % 2 === 0 ? harness.api : second.api;
      expect((await attempt(`guess-${count}@example.org`, { ip, api })).status).to.equal(401);
    }
    for (const api of [harness.api, second.api]) {
      expect((await attempt('guess-x@example.org', { ip, api })).status).to.equal(429);
    }
  });

  it("doesn't count correct log-ins", async () => {
    const user = await addUser(harness, 'member');
    const ip = freshIp();
    for (let count = 0; count < 15; count++) {
      expect((await attempt(user.email, { ip, password })).status).to.equal(200);
    }
    for (let round = 0; round < 3; round++) {
      await attempt(user.email, { ip });
      await attempt(user.email, { ip });
      expect((await attempt(user.email, { ip, password })).status).to.equal(200);
    }
  });

  it('counts a whole IPv6 network as one address', async () => {
    const user = await addUser(harness, 'member');
    for (let host = 1; host <= 3; host++) await attempt(user.email, { ip: `2001:db8:0:7::${host}` });
    expect((await attempt(user.email, { ip: '2001:db8:0:7:ffff::1' })).status).to.equal(429);
    expect((await attempt(user.email, { ip: '2001:db8:0:8::1' })).status).to.equal(401);
  });

  it('limits registrations from one address', async () => {
    const ip = freshIp();
    const register = async (count: number) =>
      await harness.api.call('register', {
        body: { email: `many-${count}@example.org`, password, name: 'Many' },
        headers: { 'x-forwarded-for': ip },
      });
    for (let count = 0; count < 4; count++) expect((await register(count)).status).to.equal(201);
    const answer = await register(4);
    expect(answer.status).to.equal(429);
    expect(Number(answer.headers.get('retry-after'))).to.be.within(1, 3600);
  });

  it('refuses excess hashes at once, and continues with the rest', async () => {
    // slow, so that all arrive while the first is still being hashed
    const slow = createPasswords({
      cost: { ...owaspCost, passes: 12 },
      concurrency: 1,
      queue: 1,
      metrics: new Registry(),
    });
    const flooded = await harness.replica({ LOGIN_FAILURES_PER_IP: '1000' }, { passwords: slow });
    const ip = freshIp();
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, count) => {
        return await attempt(`flood-${count}@example.org`, { ip, api: flooded.api });
      }),
    );
    const busy = answers.filter(({ status }) => status === 503);
    expect(busy).not.to.have.length(0);
    for (const answer of busy) {
      expectProblem(answer, 'unavailable');
      expect(answer.headers.get('retry-after')).to.equal('2');
    }
    expect(answers.filter(({ status }) => status === 401))
      .to.have.length(12 - busy.length)
      .and.not.to.have.length(0);
    const user = await addUser(harness, 'member');
    expect((await attempt(user.email, { ip, password, api: flooded.api })).status).to.equal(200);
  });

  it('rejects weak passwords wherever one is set, and explains how to improve them', async () => {
    const admin = await loggedIn(harness, 'admin');
    const weak = { password: 'Password123', name: 'Weak' };
    const answers: [string, Answer][] = [
      ['password', await harness.api.call('register', { body: { ...weak, email: 'weak@example.org' } })],
      [
        'password',
        await harness.api.call('createUser', {
          token: admin.token,
          body: { ...weak, email: 'weak@example.org', role: 'member' },
        }),
      ],
      [
        'new_password',
        await harness.api.call('changePassword', {
          token: admin.token,
          body: { current_password: password, new_password: admin.email },
        }),
      ],
    ];
    for (const [field, answer] of answers) {
      expect(answer.status).to.equal(422);
      const { detail, errors } = expectProblem(answer, 'weak_password');
      expect(errors).to.deep.equal([{ field, code: 'weak_password', message: detail }]);
      expect(detail).to.match(/^[A-Z].+\. Use a longer one/);
    }
    expect((await attempt(admin.email, { ip: freshIp(), password })).status).to.equal(200);
  });

  it('rehashes a password when the parameters have changed, without a new version', async () => {
    const user = await addUser(harness, 'member');
    const hashOf = async () => {
      const { rows } = await harness.database.db.pool.query<{ password_hash: string; version: number }>(
        'SELECT password_hash, version FROM users WHERE id = $1',
        [user.id],
      );
      return rows[0];
    };
    const before = await hashOf();
    const strong = await harness.replica(
      {},
      { passwords: createPasswords({ cost: owaspCost, concurrency: 1, queue: 3, metrics: new Registry() }) },
    );
    const logIn = async () => await attempt(user.email, { ip: freshIp(), password, api: strong.api });
    expect((await logIn()).status).to.equal(200);
    const after = await hashOf();
    expect(before?.password_hash).to.match(/^\$argon2id\$v=19\$m=64,t=1,p=1\$/);
    expect(after?.password_hash).to.match(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(after?.version).to.equal(1);
    expect((await logIn()).status).to.equal(200);
    expect((await hashOf())?.password_hash).to.equal(after?.password_hash);
  });

  it('writes no password, token, hash or account address to the logs', async () => {
    const user = await loggedIn(harness, 'admin');
    await attempt(user.email, { ip: freshIp(), password: 'a-password-mistyped' });
    const strict = await harness.replica({ REFRESH_GRACE_SECONDS: '0' });
    await strict.api.call('refresh', { body: { refresh_token: user.refreshToken } });
    await strict.api.call('refresh', { body: { refresh_token: user.refreshToken } });
    await harness.api.call('login', { body: { email: user.email, password: 'a-password-mistyped', extra: 'x' } });
    const { rows } = await harness.database.db.pool.query<{ password_hash: string }>('SELECT password_hash FROM users');
    await waitFor(() => harness.logLines.some((line) => line.includes('refresh token reused')));
    const logged = harness.logLines.join('\n');
    expect(logged).to.contain('/api/v1/auth/login');
    const secrets = [
      password,
      'a-password-mistyped',
      user.token,
      user.refreshToken,
      user.email,
      ...rows.map((row) => row.password_hash),
    ];
    for (const secret of secrets) expect(logged).not.to.contain(secret);
    for (const secret of ['KEY_ENCRYPTION_SECRET', 'DATABASE_URL']) {
      expect(logged).not.to.contain(harness.settings[secret]);
    }
  });
});
