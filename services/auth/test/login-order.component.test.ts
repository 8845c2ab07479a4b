import { expect } from 'chai';
import { Registry } from 'prom-client';
import { waitFor } from '@taskwire/testing';
import type { HashTurn, Passwords } from '../src/app/ports/passwords.ts';
import { createPasswords } from '../src/passwords/passwords.ts';
import { expectProblem, type Answer } from './support/api.ts';
import { addUser, authHarness, password, type AuthHarness } from './support/auth-harness.ts';
import { deviceOf, forwarded } from './support/guessing-harness.ts';

/** With one hash at a time, two requests are admitted: one is hashing, and the other is reading the account from the database. */
const admitted = 2;
const queue = 20;

describe('the order in which log-ins are processed', () => {
  const metrics = new Registry();
  const cheap = createPasswords({
    cost: { memory: 64, passes: 1, parallelism: 1 },
    concurrency: 1,
    // the second admitted request also occupies a place in the queue
    queue: queue + 1,
    metrics,
  });
  /** The turns that have begun, in order. */
  let turns: HashTurn[] = [];
  let held = Promise.withResolvers<void>();
  const passwords: Passwords = {
    ...cheap,
    inTurn: async (turn, work) =>
      await cheap.inTurn(turn, async () => {
        turns.push(turn);
        await held.promise;
        return await work();
      }),
  };
  let harness: AuthHarness;
  before(async () => {
    held.resolve();
    harness = await authHarness({}, { passwords });
  });
  after(async () => {
    await harness.stop();
  });

  /** From here on, each log-in stops at the beginning of its turn. */
  beforeEach(() => {
    held = Promise.withResolvers();
    turns = [];
  });
  afterEach(() => held.resolve());

  let networks = 0;
  const freshIp = () => `10.${(networks += 1) >> 8}.${networks & 255}.1`;

  type Known = { email: string; home: string; cookie: string };
  /** Creates an account that knows a device and a network. */
  async function owner(): Promise<Known> {
    const { email } = await addUser(harness, 'member');
    const home = freshIp();
    held.resolve();
    const answer = await logIn(email, home, password);
    held = Promise.withResolvers();
    turns = [];
    return { email, home, cookie: deviceOf(answer) };
  }

  async function logIn(email: string, ip: string, text: string, cookie = ''): Promise<Answer> {
    const headers = { ...forwarded(ip), ...(cookie === '' ? {} : { cookie }) };
    return await harness.api.call('login', { body: { email, password: text }, headers });
  }

  let guesses = 0;
  /** Makes a guess as an unknown caller, each time at another account. */
  const guess = async (ip: string) => await logIn(`guess-${(guesses += 1)}@example.org`, ip, 'a wrong guess');
  /** The position of the first turn of this address's network. */
  const turnOf = (network: string) => turns.findIndex(({ isKnown, source }) => !isKnown && source === network);

  async function waiting(registry = metrics, name = 'password_hashes'): Promise<number> {
    const gauge = await registry.getSingleMetric(name)?.get();
    return gauge?.values.find(({ labels }) => labels['state'] === 'waiting')?.value ?? 0;
  }

  /** Begins one more log-in, and waits until it is queued: until this number of log-ins is waiting, or this number of the flood has been refused. */
  async function join(begin: () => Promise<Answer>, until: { waiting: number } | { refused: number; of: Flood }) {
    const answer = begin();
    await waitFor(async () =>
      'of' in until ? until.of.refused() === until.refused : (await waiting()) === until.waiting,
    );
    // wrapped in an object, because awaiting the response here would wait until the queue is released
    return { answer };
  }

  type Flood = { answers: Promise<Answer>[]; refused: () => number };

  /** Begins a number of log-ins, and waits until each is either queued or having its turn. */
  async function fill(places: number, begin: () => Promise<Answer>): Promise<Flood> {
    let refused = 0;
    const answers = Array.from({ length: places }, async () => {
      const answer = await begin();
      if (answer.status === 503) refused += 1;
      return answer;
    });
    await waitFor(async () => (await waiting()) + turns.length === places);
    return { answers, refused: () => refused };
  }

  it('puts a known device and a known network next, however many addresses came before', async () => {
    const [byDevice, byNetwork] = [await owner(), await owner()];
    const flood = await fill(admitted + queue, async () => await guess(freshIp()));
    // the queue is full, so each of these log-ins takes the place of an unknown caller
    const device = async () => await logIn(byDevice.email, freshIp(), password, byDevice.cookie);
    const network = async () => await logIn(byNetwork.email, byNetwork.home, password);
    const first = await join(device, { refused: 1, of: flood });
    const second = await join(network, { refused: 2, of: flood });
    held.resolve();
    for (const { answer } of [first, second]) expect((await answer).status).to.equal(200);
    await Promise.all(flood.answers);
    expect(flood.refused()).to.equal(2);
    // log-ins whose turn has begun finish first; then unknown and known callers alternate
    const places = turns.flatMap(({ isKnown }, index) => (isKnown ? [index] : []));
    expect(places).to.have.length(2);
    expect(places[0]).to.be.at.most(admitted + 1);
    expect(places[1]).to.be.at.most(admitted + 3);
  });

  it('looks up an account next for a device that logged in to it before, however many addresses query accounts', async () => {
    const known = await owner();
    const { db, telemetry } = harness.service;
    const lookedUp: unknown[] = [];
    const database = Promise.withResolvers<void>();
    const original = db.pool.query.bind(db.pool) as (statement: object) => unknown;
    const slow = async (statement: { text: string; values: unknown[] }) => {
      if (statement.text.includes('"passwordHash"')) {
        lookedUp.push(statement.values[0]);
        await database.promise;
      }
      return await original(statement);
    };
    Object.assign(db.pool, { query: slow });
    try {
      const all = 20;
      const lookUps = async () => lookedUp.length + (await waiting(telemetry.metrics, 'login_lookups'));
      const flood = Array.from({ length: all }, async () => await guess(freshIp()));
      await waitFor(async () => (await lookUps()) === all);
      const atOnce = lookedUp.length;
      expect(atOnce).to.be.below(all / 2);
      const mine = logIn(known.email, freshIp(), password, known.cookie);
      await waitFor(async () => (await lookUps()) === all + 1);
      database.resolve();
      held.resolve();
      expect((await mine).status).to.equal(200);
      await Promise.all(flood);
      expect(lookedUp.indexOf(known.email)).to.be.within(atOnce, atOnce + 1);
    } finally {
      database.resolve();
      Object.assign(db.pool, { query: original });
    }
  });

  it('gives an unknown caller a turn while a known account sends as much as it can', async () => {
    const { email, cookie } = await owner();
    const own = await fill(admitted + queue, async () => await logIn(email, freshIp(), password, cookie));
    const ip = freshIp();
    const stranger = await join(async () => await guess(ip), { refused: 1, of: own });
    held.resolve();
    expect((await stranger.answer).status).to.equal(401);
    await Promise.all(own.answers);
    expect(turnOf(ip)).to.be.within(admitted, admitted + 1);
  });

  it('alternates between networks, so that a busy one is not served before a quiet one', async () => {
    const [busy, quiet] = [freshIp(), freshIp()];
    const many = await fill(admitted + 10, async () => await guess(busy));
    const one = await join(async () => await guess(quiet), { waiting: 11 });
    held.resolve();
    await Promise.all([...many.answers, one.answer]);
    expect(turnOf(quiet)).to.be.within(admitted, admitted + 1);
    expect(turns).to.have.length(admitted + 11);
  });

  it('treats an IPv6 network as one network, whatever address it uses', async () => {
    let host = 1;
    const many = await fill(admitted + 10, async () => await guess(`2001:db8:0:99::${(host += 1).toString(16)}`));
    const one = await join(async () => await guess('2001:db8:0:98::1'), { waiting: 11 });
    held.resolve();
    await Promise.all([...many.answers, one.answer]);
    expect(turnOf('2001:db8:0:98::/64')).to.be.within(admitted, admitted + 1);
  });

  it('refuses the busiest network in a full queue, counts nothing against it, and admits another network', async () => {
    const busy = freshIp();
    const many = await fill(admitted + queue, async () => await guess(busy));
    const rows = async () => (await harness.database.db.pool.query('SELECT FROM rate_limits')).rowCount;
    const before = await rows();
    const answer = await guess(busy);
    expectProblem(answer, 'unavailable');
    expect(answer.status).to.equal(503);
    expect(answer.headers.get('retry-after')).to.equal('2');
    expect(await rows()).to.equal(before);
    const quiet = await join(async () => await guess(freshIp()), { refused: 1, of: many });
    held.resolve();
    expect((await quiet.answer).status).to.equal(401);
    await Promise.all(many.answers);
    expect(many.refused()).to.equal(1);
  });

  it('queues a registration among unknown callers, where no single network delays it', async () => {
    const busy = freshIp();
    const many = await fill(admitted + queue, async () => await guess(busy));
    const body = { email: 'newcomer@example.org', password: 'Sunflower-Kettle-92', name: 'Newcomer' };
    const register = async () => await harness.api.call('register', { body, headers: forwarded(freshIp()) });
    const registered = await join(register, { refused: 1, of: many });
    held.resolve();
    expect((await registered.answer).status).to.equal(201);
    await Promise.all(many.answers);
  });
});
