import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { createWorld, type World } from './world.ts';

describe('a user directory', () => {
  let world: World;
  let id: string;

  beforeEach(async () => {
    world = await createWorld();
    id = randomUUID();
  });
  afterEach(async () => {
    await world.directory.refresher.stop();
    await world.drop();
  });

  it('treats an event dated in the future as dated now, and applies later events', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    await directory.refresher.tick();
    await world.deliver(auth.pretend('auth.user.changed', id, 50 * 365 * 86_400_000));
    const [row] = await query<{ event_at: Date }>(world.db.pool, 'SELECT event_at FROM directory_users WHERE id = $1', [
      id,
    ]);
    expect(row?.event_at.getTime()).to.be.within(Date.now() - 10_000, Date.now() + 1);
    await directory.refresher.tick();
    await world.deliver(auth.change(id, { name: 'Anna', updated_at: new Date(Date.now() + 1_000).toISOString() }));
    await world.skipBackOff();
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ name: 'Anna' });
  });

  it('fetches a user mentioned by an event', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id, { name: 'Ann', role: 'manager' }));
    expect(await directory.get(id), 'nothing is known yet').to.equal(undefined);
    await directory.refresher.tick();
    expect(await waitFor(async () => await directory.get(id))).to.deep.equal({
      id,
      version: 1,
      isDeleted: false,
      email: `${id}@taskwire.test`,
      emailVerified: true,
      name: 'Ann',
      role: 'manager',
      tokensValidAfter: null,
    });
  });

  it('fetches within one poll of the event when it is running', async () => {
    await world.directory.refresher.start();
    await world.deliver(world.auth.create(id));
    await waitFor(async () => await world.directory.get(id), { timeoutMs: 1_000 });
  });

  it('makes one fetch for a burst of events about one user', async () => {
    const { auth, directory } = world;
    const storm = [auth.create(id)];
    for (let change = 0; change < 100; change++) storm.push(auth.change(id));
    await world.deliver(...storm, ...storm);
    await directory.refresher.tick();
    await directory.refresher.tick();
    expect(auth.asked).to.deep.equal([id]);
    expect((await world.row(id))?.version).to.equal(101);
  });

  it('claims no more users than its limit, even when the planner expects one row', async () => {
    const { auth, db, directory } = world;
    await world.deliver(auth.create(id));
    // PostgreSQL prefers a different plan for a table of one row
    await query(db.pool, 'VACUUM ANALYZE directory_users');
    await world.deliver(...Array.from({ length: 20 }, () => auth.create(randomUUID())));
    await directory.refresher.tick();
    expect(auth.asked).to.have.length(4);
  });

  it('leaves a gap between two fetches of a user, so that a continuing burst causes a few fetches a second', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    await directory.refresher.tick();
    await world.deliver(auth.change(id));
    const row = await world.row(id);
    expect(row?.next_fetch_at?.getTime() ?? 0).to.be.greaterThan(row?.stale_since?.getTime() ?? 0);
    await directory.refresher.tick();
    expect(auth.asked).to.have.length(1);
  });

  it('does not fetch for an event older than the stored state', async () => {
    const { auth, directory } = world;
    const created = auth.create(id);
    await world.deliver(auth.change(id));
    await directory.refresher.tick();
    await world.deliver(created);
    expect((await world.row(id))?.stale_since).to.equal(null);
  });

  it('inserts a tombstone for a deletion that arrives first, and an older event received later does not revive the user', async () => {
    const { auth, directory } = world;
    const events = [auth.create(id), auth.change(id)];
    await world.deliver(auth.remove(id), ...events);
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ isDeleted: true, name: null });
    await world.deliver(...events);
    await world.skipBackOff();
    await directory.refresher.tick();
    // without a stored state, no event counts as old, so Auth is queried again
    expect(auth.asked).to.deep.equal([id, id]);
    expect(await directory.get(id)).to.include({ isDeleted: true });
  });

  it('keeps the data of a deleted user', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id, { name: 'Ann' }));
    await directory.refresher.tick();
    await world.deliver(auth.remove(id));
    await world.skipBackOff();
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ isDeleted: true, name: 'Ann' });
  });

  it('revokes access granted before an event that ends it, even while Auth is unavailable', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id, { role: 'manager' }));
    await directory.refresher.tick();
    const slow = auth.read(id);
    const issuedAt = new Date();
    const check = async (at: Date) => await directory.checkUser({ userId: id, role: 'manager', issuedAt: at });
    expect(await check(issuedAt)).to.deep.equal({ role: 'manager' });
    const [, ended] = auth.endAccess(id);
    const event = { ...ended.event, timestamp: new Date(issuedAt.getTime() + 1_000).toISOString() };
    await world.deliver({ ...ended, event });
    await waitFor(async () => (await check(issuedAt)) === 'revoked');
    expect(await check(new Date(issuedAt.getTime() + 2_000)), 'a later token').to.deep.equal({ role: 'manager' });
    // a state read before the end of access does not restore it
    auth.answer(() => slow);
    await directory.refresher.tick();
    expect(await check(issuedAt)).to.equal('revoked');
    await world.deliver({ ...ended, event: { ...event, timestamp: issuedAt.toISOString() } });
    expect((await world.row(id))?.tokens_valid_after?.toISOString(), 'an older end').to.equal(event.timestamp);
  });

  it('inserts a tombstone when a fetch returns 410', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    auth.remove(id);
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ isDeleted: true });
    expect(await world.metric('user_directory_fetches_total', { outcome: 'deleted' })).to.equal(1);
  });

  it('does not let a slow fetch revive a user who was deleted during the fetch', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    const before = auth.read(id);
    let answer: (() => void) | undefined;
    auth.answer(async () => {
      await new Promise<void>((resolve) => (answer = resolve));
      return before;
    });
    const round = directory.refresher.tick();
    await waitFor(() => answer);
    await world.deliver(auth.remove(id));
    answer?.();
    await round;
    const issuedAt = new Date();
    expect(await directory.checkUser({ userId: id, role: 'member', issuedAt })).to.equal('revoked');
    auth.answer();
    await world.skipBackOff();
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ isDeleted: true });
  });

  it('fetches again when an event received during a fetch is newer than the fetched state', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id, { name: 'Ann' }));
    const before = auth.read(id);
    auth.answer(async () => {
      await world.deliver(auth.change(id, { name: 'Bea' }));
      return before;
    });
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ name: 'Ann' });
    auth.answer();
    await world.skipBackOff();
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ name: 'Bea' });
    expect((await world.row(id))?.stale_since).to.equal(null);
  });

  it('retries a few times while Auth returns a state older than the event, then leaves the user to reconciliation', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    await directory.refresher.tick();
    const lagging = auth.read(id);
    await world.deliver(auth.change(id));
    auth.answer(() => lagging);
    for (let round = 0; round < 20; round++) {
      await world.skipBackOff();
      await directory.refresher.tick();
    }
    expect(auth.asked).to.have.length(1 + 6);
    expect(await world.row(id)).to.include({ stale_since: null, version: 1 });
  });

  it('retries a user unknown to Auth with back-off, and stops after a number of attempts', async () => {
    const { auth, directory } = world;
    await world.deliver({
      type: 'auth.user.created',
      sourceEpoch: 1,
      event: { user_id: id, timestamp: new Date().toISOString() },
    });
    await directory.refresher.tick();
    const row = await world.row(id);
    expect(row).to.include({ attempts: 1, last_error: 'unknown to Auth' });
    expect(row?.next_fetch_at?.getTime()).to.be.greaterThan(Date.now() - 1_000);
    for (let round = 0; round < 20; round++) {
      await world.skipBackOff();
      await directory.refresher.tick();
    }
    expect(auth.asked).to.have.length(15);
    expect(await world.row(id)).to.include({ stale_since: null, last_error: 'unknown to Auth' });
    expect(await directory.get(id)).to.equal(undefined);
    expect(await world.metric('user_directory_users', { state: 'unknown' })).to.equal(1);
  });

  it('keeps a known user whom Auth reports as not found', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    await directory.refresher.tick();
    await world.deliver(auth.change(id));
    auth.answer(() => ({ kind: 'not_found' }));
    await world.skipBackOff();
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ isDeleted: false });
  });

  it('claims no row while the breaker is open', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    auth.setOpen(true);
    await directory.refresher.tick();
    expect((await world.row(id))?.attempts).to.equal(0);
    auth.setOpen(false);
    await directory.refresher.tick();
    expect(auth.asked).to.deep.equal([id]);
  });

  it('increases the back-off of a row whose fetch failed, but not when Auth was not queried', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    auth.answer(() => ({ kind: 'unavailable', reason: 'status', detail: 'auth answered 500' }));
    await directory.refresher.tick();
    expect(await world.row(id)).to.include({ attempts: 1, last_error: 'auth answered 500' });
    auth.answer(() => ({ kind: 'unavailable', reason: 'no_token', detail: 'no token', retryAfterMs: 60_000 }));
    await world.skipBackOff();
    await directory.refresher.tick();
    const row = await world.row(id);
    expect(row).to.include({ attempts: 1, last_error: 'no token' });
    expect(row?.next_fetch_at?.getTime()).to.be.greaterThan(Date.now() + 25_000);
  });

  it('fetches one user at a time after a failure, until a fetch succeeds', async () => {
    const { auth, directory } = world;
    const ids = Array.from({ length: 6 }, () => randomUUID());
    for (const each of ids) await world.deliver(auth.create(each));
    auth.answer(() => ({ kind: 'unavailable', reason: 'network', detail: 'away' }));
    await directory.refresher.tick();
    expect(auth.asked, 'as many as may run at once').to.have.length(4);
    await world.skipBackOff();
    await directory.refresher.tick();
    expect(auth.asked).to.have.length(5);
    auth.answer();
    await world.skipBackOff();
    await directory.refresher.tick();
    expect(auth.asked).to.have.length(6);
    await world.skipBackOff();
    await directory.refresher.tick();
    expect(auth.asked).to.have.length(10);
  });

  it('lets another process claim the row of a dead process once the lease expires', async () => {
    await world.drop();
    world = await createWorld({ refresh: { leaseMs: 50 } });
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    auth.answer(async (_id, signal) => {
      await once(signal as AbortSignal, 'abort');
      return { kind: 'unavailable', reason: 'cancelled', detail: 'the process ends' };
    });
    void directory.refresher.tick();
    await waitFor(() => auth.asked.length === 1);
    auth.answer();
    const other = world.another();
    await waitFor(async () => (await other.refresher.tick()) === 'more');
    expect(await other.get(id)).to.include({ id });
  });

  it('drains a backlog at the configured pace', async () => {
    await world.drop();
    world = await createWorld({ refresh: { perSecond: 20, pollMs: 50 } });
    const { auth, directory } = world;
    for (let user = 0; user < 24; user++) await world.deliver(auth.create(randomUUID()));
    const startedAt = performance.now();
    await directory.refresher.start();
    await waitFor(() => auth.asked.length === 24);
    // 4 at once from the bucket, 20 more at 20 a second
    expect(performance.now() - startedAt).to.be.within(800, 2_500);
  });

  it('reports the number of stale users and the age of the oldest', async () => {
    const { auth } = world;
    await world.deliver(auth.create(id), auth.create(randomUUID()));
    expect(await world.metric('user_directory_stale_users')).to.equal(2);
    expect(await world.metric('user_directory_oldest_stale_seconds')).to.be.greaterThan(0);
  });
});
