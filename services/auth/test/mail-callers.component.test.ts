import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { expectProblem } from './support/api.ts';
import { addUser, authHarness, cheapPasswords, loggedIn, password, type AuthHarness } from './support/auth-harness.ts';

describe('mails caused by one caller', () => {
  let harness: AuthHarness;
  beforeEach(async () => {
    harness = await authHarness({ MAILS_PER_CALLER: '4' }, { passwords: cheapPasswords() });
  });
  afterEach(async () => {
    await harness.stop();
  });

  let people = 0;
  const newEmail = () => `mailed-${(people += 1)}@example.org`;
  const from = (ip: string) => ({ headers: { 'x-forwarded-for': ip } });
  const register = async (ip: string, email = newEmail()) =>
    await harness.api.call('register', { body: { email, password, name: 'Ann' }, ...from(ip) });
  const forgot = async (ip: string) =>
    await harness.api.call('forgotPassword', { body: { email: newEmail() }, ...from(ip) });
  const verify = async (ip: string) =>
    await harness.api.call('requestVerification', { body: { email: newEmail() }, ...from(ip) });

  it('share one budget of their network, whatever their cause', async () => {
    const [ip, other] = ['198.51.100.7', '198.51.100.8'];
    const statuses = [await register(ip), await forgot(ip), await verify(ip), await register(ip)].map((a) => a.status);
    expect(statuses).to.deep.equal([201, 202, 202, 201]);
    for (const again of [register, forgot, verify]) {
      const answer = await again(ip);
      expect(answer.status).to.equal(429);
      expectProblem(answer, 'rate_limited');
      expect(Number(answer.headers.get('retry-after'))).to.be.within(3_000, 3_600);
    }
    expect((await register(other)).status).to.equal(201);
  });

  it("share one budget across all addresses of a customer's IPv6 network", async () => {
    for (let n = 1; n <= 4; n++) expect((await register(`2001:db8:1:2::${n}`)).status).to.equal(201);
    expect((await register('2001:db8:1:2:ffff::5')).status).to.equal(429);
  });

  it('share one budget of the logged-in user, whatever their network', async () => {
    const admin = await loggedIn(harness, 'admin');
    const make = async (ip: string) =>
      await harness.api.call('createUser', {
        token: admin.token,
        body: { email: newEmail(), password, name: 'Ben', role: 'member' },
        ...from(ip),
      });
    for (let n = 1; n <= 4; n++) expect((await make(`198.51.100.${n}`)).status).to.equal(201);
    expect((await make('198.51.100.5')).status).to.equal(429);
  });

  it("count changes of another user's address", async () => {
    const admin = await loggedIn(harness, 'admin');
    const people = [];
    for (let n = 0; n < 5; n++) people.push(await addUser(harness, 'member'));
    const move = async (id: string) => {
      const body = { email: newEmail() };
      return (await harness.api.call('changeUser', { token: admin.token, params: { id }, body })).status;
    };
    const statuses = [];
    for (const { id } of people) statuses.push(await move(id));
    expect(statuses).to.deep.equal([200, 200, 200, 200, 429]);
  });

  it('cost nothing where no mail is sent, and a taken address is still a conflict', async () => {
    const { email } = await addUser(harness, 'member');
    for (let n = 0; n < 6; n++) expect((await register('198.51.100.9', email)).status).to.equal(409);
    expect((await register('198.51.100.9')).status).to.equal(201);
  });

  it('cost one for a registration', async () => {
    await register('198.51.100.10');
    const rows = await query<{ type: string }>(harness.database.db.pool, 'SELECT purpose AS type FROM account_links');
    expect(rows).to.deep.equal([{ type: 'verify_email' }]);
  });
});
