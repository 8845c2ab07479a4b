import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createLimiter } from '../src/postgres/keyed-limiter.ts';
import { authHarness, cheapPasswords, type AuthHarness } from './support/auth-harness.ts';

/** Subjects of all limits: an account, an IPv4 and an IPv6 network, and a recipient of mails. */
const email = 'rosa.subject@example.org';
const addresses = ['203.0.113.77', '2001:db8:12:34::77'];

describe('the table rate_limits', () => {
  let harness: AuthHarness;
  before(async () => {
    harness = await authHarness({}, { passwords: cheapPasswords() });
  });
  after(async () => {
    await harness.stop();
  });

  async function storedKeys(): Promise<string[]> {
    const { rows } = await harness.database.db.pool.query<{ key: string }>('SELECT key FROM rate_limits ORDER BY key');
    return rows.map(({ key }) => key);
  }

  it('contains no address of an account or a network, and nothing that a list of addresses could be compared with', async () => {
    for (const ip of addresses) {
      const headers = { 'x-forwarded-for': ip };
      const account = { email: `new-${ip.length}@example.org`, password: 'Sunflower-Kettle-92', name: 'Rosa' };
      expect((await harness.api.call('register', { body: account, headers })).status).to.equal(201);
      expect(
        (await harness.api.call('login', { body: { email, password: 'a wrong guess' }, headers })).status,
      ).to.equal(401);
      expect((await harness.api.call('forgotPassword', { body: { email }, headers })).status).to.equal(202);
    }
    const keys = await storedKeys();
    const limits = new Set(keys.map((key) => key.split(':')[0]));
    expect([...limits]).to.include.members([
      ...['login-account', 'login-ip', 'login-strangers', 'mail-ip', 'mail-recipient', 'register-ip'],
    ]);
    for (const key of keys) expect(key).to.match(/^[a-z-]+:[\w-]{43}$/);
    const networks = [addresses[0] ?? '', '2001:db8:12:34::/64'];
    const readable = [
      ...[email, ...networks],
      ...networks.map((network) => `${email} ${network}`),
      ...['reset_password', 'verify_email'].map((purpose) => `${email} ${purpose}`),
    ];
    const stored = keys.join(' ').toLowerCase();
    for (const subject of readable) {
      expect(stored).not.to.contain(subject);
      for (const encoding of ['hex', 'base64url'] as const) {
        const digest = createHash('sha256').update(subject).digest(encoding);
        expect(stored, subject).not.to.contain(digest.toLowerCase());
      }
    }
  });

  it('has keys that depend on the secret of the installation and on the limit', async () => {
    const { pool } = harness.database.db;
    await pool.query('DELETE FROM rate_limits');
    const options = { pool, points: 5, windowMs: 60_000 };
    const [one, other] = [randomBytes(32), randomBytes(32)];
    for (const [key, name] of [
      [one, 'first-limit'],
      [one, 'second-limit'],
      [other, 'first-limit'],
    ] as const) {
      for (let count = 0; count < 2; count++) await createLimiter({ ...options, key, name }).consume(email);
    }
    const hmacs = (await storedKeys()).map((key) => key.split(':')[1]);
    expect(new Set(hmacs).size).to.equal(3);
    expect(hmacs).to.have.length(3);
  });
});
