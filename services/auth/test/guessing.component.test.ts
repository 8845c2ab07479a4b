import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { deviceCookies } from '../src/app/device-cookies.ts';
import { derivedKey } from '../src/tokens/derived-keys.ts';
import { expectProblem } from './support/api.ts';
import { addUser, logIn, password } from './support/auth-harness.ts';
import { pkce } from './support/browser.ts';
import { budget, deviceOf, forwarded, guessingHarness, type GuessingHarness } from './support/guessing-harness.ts';

describe('guessing at one account from many addresses', () => {
  let harness: GuessingHarness;
  before(async () => {
    harness = await guessingHarness();
  });
  after(async () => {
    await harness.stop();
  });

  const freshIp = () => harness.freshIp();
  const attempt: GuessingHarness['attempt'] = async (...given) => await harness.attempt(...given);
  const attack: GuessingHarness['attack'] = async (...given) => await harness.attack(...given);

  it('allows a thousand addresses ten guesses per window in total, while the owner keeps access from known places', async () => {
    const owner = await addUser(harness, 'member');
    const home = freshIp();
    const first = await attempt(owner.email, { ip: home, password });
    expect(first.status).to.equal(200);
    expect(await attack(owner.email, 1_000)).to.equal(budget);
    // from the network of the first log-in, after a mistake
    expect((await attempt(owner.email, { ip: home })).status).to.equal(401);
    expect((await attempt(owner.email, { ip: home, password })).status).to.equal(200);
    // from another network, with the device of the first log-in
    expect((await attempt(owner.email, { ip: freshIp(), password, cookie: deviceOf(first) })).status).to.equal(200);
    // the owner's log-ins give no attempts back to other callers
    expect(await attack(owner.email, 50)).to.equal(0);
  });

  it("knows a new user's device and network from their registration", async () => {
    const home = freshIp();
    const account = { email: 'registered@example.org', password: 'Sunflower-Kettle-92', name: 'Rosa' };
    const made = await harness.api.call('register', { body: account, headers: forwarded(home) });
    expect(made.status).to.equal(201);
    expect(await attack(account.email, 30)).to.equal(budget);
    expect((await attempt(account.email, { ip: home, password: account.password })).status).to.equal(200);
  });

  it('admits a new address while the budget lasts, and charges nothing for correct log-ins', async () => {
    const owner = await addUser(harness, 'member');
    await attack(owner.email, budget - 1);
    for (let count = 0; count < budget; count++) {
      expect((await attempt(owner.email, { ip: freshIp(), password })).status).to.equal(200);
    }
    expect(await attack(owner.email, 5)).to.equal(1);
  });

  it('admits the owner from a new address in the next window, or at once after a reset by mail', async () => {
    const short = await harness.replica({ LOGIN_ACCOUNT_WINDOW_MS: '2000' });
    const waiting = await addUser(harness, 'member');
    for (let count = 0; count <= budget; count++) await attempt(waiting.email, { ip: freshIp(), api: short.api });
    const refused = await attempt(waiting.email, { ip: freshIp(), password, api: short.api });
    expectProblem(refused, 'rate_limited');
    expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 2);
    await waitFor(
      async () => (await attempt(waiting.email, { ip: freshIp(), password, api: short.api })).status === 200,
    );

    const owner = await addUser(harness, 'member');
    const hotel = freshIp();
    await attack(owner.email, 20);
    const limited = await attempt(owner.email, { ip: hotel, password });
    expect(expectProblem(limited, 'rate_limited').detail).to.contain('reset the password');
    expect(Number(limited.headers.get('retry-after'))).to.be.within(1_000, 1_200);
    await harness.reset(owner, 'Sunflower-Kettle-92', hotel);
    expect((await attempt(owner.email, { ip: hotel, password: 'Sunflower-Kettle-92' })).status).to.equal(200);
    expect(await attack(owner.email, 20)).to.equal(0);
  });

  it("gets the same responses for an account that doesn't exist", async () => {
    expect(await attack('no-such-account@example.org', 30)).to.equal(budget);
    const answer = await attempt('no-such-account@example.org', { ip: freshIp() });
    expect(expectProblem(answer, 'rate_limited').detail).to.contain('reset the password');
  });

  it('knows a device for its own account only, for a limited time and with our signature, and allows it ten failures', async () => {
    const [owner, other] = [await addUser(harness, 'member'), await addUser(harness, 'member')];
    const cookie = deviceOf(await attempt(owner.email, { ip: freshIp(), password }));
    const foreign = deviceOf(await attempt(other.email, { ip: freshIp(), password }));
    await attack(owner.email, 20);
    const period = { userId: owner.id, tokensValidAfter: null };
    const issued = (key: Buffer, lifetimeSeconds: number) =>
      deviceCookies({ key, lifetimeSeconds, secure: false }).cookieFor(period, owner.email).split(';')[0] ?? '';
    const forged = issued(Buffer.alloc(32), 1_000);
    const old = (() => {
      const now = Date.now;
      Date.now = () => now() - 91 * 86_400_000;
      try {
        return issued(derivedKey(harness.secret, 'devices'), 90 * 86_400);
      } finally {
        Date.now = now;
      }
    })();
    for (const worthless of [foreign, forged, old, 'taskwire_device=x', `${cookie}x`]) {
      const answer = await attempt(owner.email, { ip: freshIp(), password, cookie: worthless });
      expect(answer.status, worthless).to.equal(429);
    }
    for (let count = 0; count < 10; count++) {
      expect((await attempt(owner.email, { ip: freshIp(), cookie })).status).to.equal(401);
    }
    expect((await attempt(owner.email, { ip: freshIp(), password, cookie })).status).to.equal(429);
  });

  it('meets the same limit and the same known devices at the log-in page', async () => {
    const owner = await addUser(harness, 'member');
    const person = { email: owner.email, password };
    const address = harness.authorizeUrl({ code_challenge: pkce().challenge, prompt: 'login' });
    const known = harness.browser();
    const page = await known.open(address);
    // the test's browser uses one network, so only the device cookie makes a difference
    expect((await known.submit(page, { ...person, decision: 'log_in' })).text).to.contain('value="allow"');
    await harness.database.db.pool.query('DELETE FROM known_networks');
    await attack(owner.email, 20);
    const stranger = harness.browser();
    const refused = await stranger.submit(await stranger.open(address), { ...person, decision: 'log_in' });
    expect(refused.status).to.equal(429);
    expect(refused.text).to.contain('where you have logged in before');
    const again = await known.submit(await known.open(address), { ...person, decision: 'log_in' });
    expect(again.text).to.contain('value="allow"');
  });

  it('gains nothing from the device cookie: it opens no account, is hidden from scripts, and names no account', async () => {
    const owner = await addUser(harness, 'member');
    await logIn(harness, owner.email);
    const answer = await attempt(owner.email, { ip: freshIp(), password });
    const cookie = answer.headers.get('set-cookie') ?? '';
    expect(cookie).to.match(/^taskwire_device=[\w.-]+; Path=\/; Max-Age=7776000; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.to.contain(owner.id);
    const guess = await attempt(owner.email, { ip: freshIp(), cookie: deviceOf(answer) });
    expect(guess.status).to.equal(401);
    expect(guess.headers.get('set-cookie')).to.equal(null);
  });
});
