import { expect } from 'chai';
import { expectProblem, type Answer } from './support/api.ts';
import { addUser, loggedIn, password } from './support/auth-harness.ts';
import { budget, deviceOf, forwarded, guessingHarness, type GuessingHarness } from './support/guessing-harness.ts';

type Session = { access_token: string };
const newPassword = 'Sunflower-Kettle-92';

describe('known devices and networks of an account', () => {
  let harness: GuessingHarness;
  before(async () => {
    harness = await guessingHarness();
  });
  after(async () => {
    await harness.stop();
  });

  /** A user who has logged in from home, and whose account is then attacked from other networks. */
  async function attacked(role: 'admin' | 'member' = 'member') {
    const owner = await addUser(harness, role);
    const home = harness.freshIp();
    const answer = await harness.attempt(owner.email, { ip: home, password });
    const stolen = deviceOf(answer);
    await harness.attack(owner.email, 2 * budget);
    // without the known device and network, these would get 429
    expect((await harness.attempt(owner.email, { ip: harness.freshIp(), password, cookie: stolen })).status).to.equal(
      200,
    );
    expect((await harness.attempt(owner.email, { ip: home, password })).status).to.equal(200);
    return { ...owner, home, stolen, token: (answer.body as Session).access_token };
  }
  type Owner = Awaited<ReturnType<typeof attacked>>;

  /** Expects the correct password to be refused during guessing, because the account knows neither the device nor the network. */
  async function expectWorthless({ email, home, stolen }: Owner, given: string): Promise<void> {
    const device = await harness.attempt(email, { ip: harness.freshIp(), password: given, cookie: stolen });
    expectProblem(device, 'rate_limited');
    expectProblem(await harness.attempt(email, { ip: home, password: given }), 'rate_limited');
    expectProblem(await harness.attempt(email, { ip: home, password: given, cookie: stolen }), 'rate_limited');
  }

  describe('the end of an access period', () => {
    it('forgets them after a change of password, except the device and network of the change', async () => {
      const owner = await attacked();
      const office = harness.freshIp();
      const body = { current_password: password, new_password: newPassword };
      const headers = { ...forwarded(office), cookie: owner.stolen };
      const changed = await harness.api.call('changePassword', { token: owner.token, body, headers });
      expect(changed.status, changed.text).to.equal(200);
      await expectWorthless(owner, newPassword);
      expect((await harness.attempt(owner.email, { ip: office, password: newPassword })).status).to.equal(200);
      const cookie = deviceOf(changed);
      const elsewhere = { ip: harness.freshIp(), password: newPassword, cookie };
      expect((await harness.attempt(owner.email, elsewhere)).status).to.equal(200);
    });

    it('forgets them after a reset by mail, except the network of the reset', async () => {
      const owner = await attacked();
      const hotel = harness.freshIp();
      await harness.reset(owner, newPassword, hotel);
      await expectWorthless(owner, newPassword);
      expect((await harness.attempt(owner.email, { ip: hotel, password: newPassword })).status).to.equal(200);
    });

    it('forgets them after logging out everywhere, including the device and network of that request', async () => {
      const owner = await attacked();
      const { token, stolen, home } = owner;
      const headers = { ...forwarded(home), cookie: stolen };
      expect((await harness.api.call('logoutEverywhere', { token, headers })).status).to.equal(204);
      await expectWorthless(owner, password);
    });

    it('forgets them after a demotion', async () => {
      const [owner, admin] = [await attacked('admin'), await loggedIn(harness, 'admin')];
      const body = { role: 'member' };
      const demoted = await harness.api.call('changeUser', { token: admin.token, params: { id: owner.id }, body });
      expect(demoted.status, demoted.text).to.equal(200);
      await expectWorthless(owner, password);
    });

    it('forgets them after the deletion, even for a later account with the same address', async () => {
      const owner = await attacked();
      const { id, email, token } = owner;
      expect((await harness.api.call('deleteUser', { token, params: { id } })).status).to.equal(204);
      await expectWorthless(owner, password);
      const account = { email, password: newPassword, name: 'The next person' };
      const headers = forwarded(harness.freshIp());
      expect((await harness.api.call('register', { body: account, headers })).status).to.equal(201);
      await expectWorthless(owner, newPassword);
    });
  });

  it('share one budget of guesses across all devices of one caller, and leave the owner access at home', async () => {
    const owner = await addUser(harness, 'member');
    const home = harness.freshIp();
    const cookies: string[] = [];
    for (let count = 0; count < 6; count++) {
      cookies.push(deviceOf(await harness.attempt(owner.email, { ip: home, password })));
    }
    const before = harness.checked();
    const guesses = await Promise.all(
      cookies.flatMap((cookie) =>
        Array.from({ length: 4 }, async () => await harness.attempt(owner.email, { ip: harness.freshIp(), cookie })),
      ),
    );
    expect(harness.checked() - before).to.equal(budget);
    expect(guesses.filter(({ status }) => status === 401)).to.have.length(budget);
    for (const answer of guesses.filter(({ status }) => status !== 401)) expectProblem(answer, 'rate_limited');
    const [cookie = ''] = cookies;
    expect((await harness.attempt(owner.email, { ip: home, password, cookie })).status).to.equal(200);
    // neither the log-in at home nor the budget of unknown callers allows the devices further guesses
    expectProblem(await harness.attempt(owner.email, { ip: harness.freshIp(), password, cookie }), 'rate_limited');
    expect(await harness.attack(owner.email, 2 * budget)).to.equal(budget);
    expectProblem(await harness.attempt(owner.email, { ip: harness.freshIp(), password, cookie }), 'rate_limited');
  });

  it('get their own attempt refunded by a correct log-in, and no failure of another device', async () => {
    const owner = await addUser(harness, 'member');
    const login = async (cookie?: string) =>
      await harness.attempt(owner.email, {
        ip: harness.freshIp(),
        password,
        ...(cookie === undefined ? {} : { cookie }),
      });
    const [mine, stolen] = [deviceOf(await login()), deviceOf(await login())];
    for (let count = 0; count < budget - 1; count++) {
      await harness.attempt(owner.email, { ip: harness.freshIp(), cookie: stolen });
    }
    for (let count = 0; count < budget; count++) expect((await login(mine)).status).to.equal(200);
    expect((await harness.attempt(owner.email, { ip: harness.freshIp(), cookie: stolen })).status).to.equal(401);
    expect((await harness.attempt(owner.email, { ip: harness.freshIp(), cookie: stolen })).status).to.equal(429);
  });

  it('are looked up with the same statements for an existing, a deleted and an unknown account', async () => {
    const [owner, gone] = [await addUser(harness, 'member'), await loggedIn(harness, 'member')];
    const { token, id } = gone;
    expect((await harness.api.call('deleteUser', { token, params: { id } })).status).to.equal(204);
    const cookie = deviceOf(await harness.attempt(owner.email, { ip: harness.freshIp(), password }));
    const { pool } = harness.service.db;
    const statementsOf = async (email: string, proof: string) => {
      const seen: string[] = [];
      const original = pool.query.bind(pool) as (statement: { text: string }) => unknown;
      const watched = (statement: { text: string }) => {
        seen.push(statement.text);
        return original(statement);
      };
      Object.assign(pool, { query: watched });
      const answer: Answer = await harness.attempt(email, { ip: harness.freshIp(), cookie: proof });
      Object.assign(pool, { query: original });
      expect(answer.status).to.equal(401);
      return seen.filter((text) => /users|rate_limits|known_networks/.test(text));
    };
    const known = await statementsOf(owner.email, 'taskwire_device=x');
    expect(known).to.have.length.above(3);
    expect(await statementsOf('never-was@example.org', cookie)).to.deep.equal(known);
    expect(await statementsOf(gone.email, cookie)).to.deep.equal(known);
  });
});
