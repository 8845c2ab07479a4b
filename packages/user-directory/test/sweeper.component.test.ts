import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { fakeAuth } from './fake-auth.ts';
import { createWorld, type World } from './world.ts';

const hourMs = 3_600_000;

describe('The sweeper of a user directory', () => {
  let world: World;

  async function start(options: { pageSize?: number; sweep?: { everyMs?: number; leaseMs?: number } } = {}) {
    const auth = fakeAuth({ pageSize: options.pageSize ?? 100, ageMs: hourMs });
    world = await createWorld({ auth, sweep: options.sweep ?? {} });
    return world;
  }
  afterEach(async () => await world.drop());

  async function sweepOnce(): Promise<void> {
    while ((await world.directory.sweeper.tick()) === 'more');
  }

  /** As if the last sweep had ended two hours ago. */
  async function letTimePass(): Promise<void> {
    await query(world.db.pool, "UPDATE directory_sweep SET completed_at = completed_at - interval '2 hours'");
  }

  const ids = (count: number) => Array.from({ length: count }, () => randomUUID());

  it('fills a directory from nothing, page by page, deleted users too, and then rests', async () => {
    const { auth, directory, changes } = await start({ pageSize: 3 });
    const [gone = '', ...others] = ids(8);
    for (const id of [gone, ...others]) auth.create(id);
    auth.remove(gone);
    await sweepOnce();
    expect(await directory.get(gone)).to.include({ isDeleted: true, name: 'Ann' });
    for (const id of others) expect(await directory.get(id)).to.include({ isDeleted: false });
    expect(changes).to.have.length(8);
    expect(auth.asked).to.have.length(0);
    const pages = auth.listed.length;
    await sweepOnce();
    expect(auth.listed).to.have.length(pages);
    expect(await world.metric('user_directory_drift_total')).to.equal(0);
    expect(await world.metric('user_directory_sweep_age_seconds')).to.be.within(0, 10);
  });

  it('asks for what changed since the last sweep, with an overlap', async () => {
    const { auth } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    await sweepOnce();
    await letTimePass();
    await sweepOnce();
    const newest = Date.parse(auth.state(id)?.updated_at ?? '');
    const [, second] = auth.listed;
    expect(Date.parse(second?.updatedSince ?? '')).to.be.within(newest - 600_001, newest - 599_999);
  });

  it('asks on from now after it has seen a change that is dated in the future', async () => {
    const { auth, directory } = await start();
    const [ahead = '', later = ''] = ids(2);
    auth.create(ahead, { updated_at: '2099-01-01T00:00:00.000000Z' });
    await sweepOnce();
    auth.create(later, { updated_at: new Date().toISOString() });
    await letTimePass();
    await sweepOnce();
    expect(Date.parse(auth.listed.at(-1)?.updatedSince ?? '')).to.be.below(Date.now());
    expect(await directory.get(later)).to.include({ name: 'Ann' });
  });

  it('makes good a change and a deletion whose events were lost, and counts them as drift', async () => {
    const { auth, directory } = await start();
    const [changed = '', removed = '', untouched = ''] = ids(3);
    for (const id of [changed, removed, untouched]) auth.create(id);
    await sweepOnce();
    auth.change(changed, { role: 'manager' });
    auth.remove(removed);
    await letTimePass();
    await sweepOnce();
    expect(await directory.get(changed)).to.include({ role: 'manager' });
    expect(await directory.get(removed)).to.include({ isDeleted: true });
    expect(await world.metric('user_directory_drift_total')).to.equal(2);
  });

  it('does not count a change as drift whose event has arrived', async () => {
    const { auth } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    await sweepOnce();
    await world.deliver(auth.change(id));
    await letTimePass();
    await sweepOnce();
    expect(await world.metric('user_directory_drift_total')).to.equal(0);
    expect((await world.row(id))?.stale_since, 'and no fetch is needed').to.equal(null);
  });

  it('does not count a change as drift whose event may still be on its way', async () => {
    world = await createWorld({ auth: fakeAuth() });
    const [id = ''] = ids(1);
    world.auth.create(id);
    await sweepOnce();
    world.auth.change(id);
    await letTimePass();
    await sweepOnce();
    expect(await world.metric('user_directory_drift_total')).to.equal(0);
  });

  it('takes on that a deleted user was erased, forgets what it held of them, and does not count that as drift', async () => {
    const { auth, changes, directory } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    await sweepOnce();
    await world.deliver(auth.remove(id));
    await world.skipBackOff();
    await directory.refresher.tick();
    await letTimePass();
    await sweepOnce();
    expect(await directory.get(id)).to.include({ isDeleted: true, name: 'Ann' });
    const tombstone = auth.state(id);
    if (tombstone === undefined) throw new Error('there is a tombstone');
    const [version, updatedAt] = [tombstone.version + 1, new Date(Date.parse(tombstone.updated_at) + 1_000)];
    const erased = { email: '', name: 'Deleted user', version, updated_at: updatedAt.toISOString() };
    auth.restore(id, { ...tombstone, ...erased });
    await letTimePass();
    await sweepOnce();
    expect(await world.row(id)).to.include({ email: '', name: 'Deleted user', is_deleted: true });
    expect(await directory.get(id)).to.include({ isDeleted: true, name: 'Deleted user' });
    expect(changes.at(-1)?.after).to.include({ isDeleted: true, email: '' });
    expect(await world.metric('user_directory_drift_total')).to.equal(0);
  });

  it('learns whether addresses are verified of users whom it held before it kept that, and does not count that as drift', async () => {
    const { auth, db, directory } = await start();
    const id = randomUUID();
    auth.create(id);
    await sweepOnce();
    await query(db.pool, 'UPDATE directory_users SET email_verified = NULL');
    expect(await world.another().get(id)).to.include({ emailVerified: null });
    await query(db.pool, "UPDATE directory_sweep SET full_completed_at = full_completed_at - interval '25 hours'");
    await sweepOnce();
    expect(await world.row(id)).to.include({ email_verified: true, version: 1 });
    expect(await directory.get(id)).to.include({ emailVerified: true });
    expect(await world.metric('user_directory_drift_total')).to.equal(0);
  });

  it('brings a user back whom a build before this one buried on the word of an event, once everybody is listed', async () => {
    const { auth, changes, db, directory } = await start();
    const [buried = '', deleted = ''] = ids(2);
    for (const id of [buried, deleted]) auth.create(id);
    await sweepOnce();
    auth.remove(deleted);
    const now = new Date().toISOString();
    await query(db.pool, 'UPDATE directory_users SET is_deleted = true, event_at = $1', [now]);
    await query(db.pool, "UPDATE directory_sweep SET full_completed_at = full_completed_at - interval '25 hours'");
    await waitFor(async () => (await directory.get(buried))?.isDeleted);
    await sweepOnce();
    expect(await directory.get(buried)).to.include({ isDeleted: false, name: 'Ann', version: 1 });
    expect(await directory.get(deleted)).to.include({ isDeleted: true, version: 2 });
    expect(changes.at(-1)).to.deep.include({ before: { ...changes.at(-1)!.after, isDeleted: true } });
  });

  it('brings an account back that an admin restored, although no event told of it', async () => {
    const { auth, directory } = await start();
    const [listed = '', answered = ''] = ids(2);
    for (const id of [listed, answered]) auth.create(id);
    await sweepOnce();
    // one tombstone comes from the list, with its version, the other from a 410, which has none
    await world.deliver(auth.remove(answered));
    await world.skipBackOff();
    await directory.refresher.tick();
    auth.remove(listed);
    await letTimePass();
    await sweepOnce();
    for (const id of [listed, answered]) expect(await directory.get(id)).to.include({ isDeleted: true });
    for (const id of [listed, answered]) auth.revive(id);
    await letTimePass();
    await sweepOnce();
    for (const id of [listed, answered]) expect(await directory.get(id)).to.include({ isDeleted: false, version: 3 });
  });

  it('goes on asking about a claimed deletion that a build without claims has stopped asking about', async () => {
    const { auth, db, directory } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    await sweepOnce();
    await world.deliver(auth.remove(id));
    await query(db.pool, 'UPDATE directory_users SET stale_since = NULL, next_fetch_at = NULL');
    await query(db.pool, "UPDATE directory_sweep SET full_completed_at = full_completed_at - interval '25 hours'");
    auth.answerList(() => ({ kind: 'ok', value: { data: [], next_cursor: null } }));
    await sweepOnce();
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ isDeleted: true });
  });

  it('lists everybody again once a day', async () => {
    const { auth, db } = await start();
    auth.create(randomUUID());
    await sweepOnce();
    await query(db.pool, "UPDATE directory_sweep SET full_completed_at = full_completed_at - interval '25 hours'");
    await sweepOnce();
    expect(auth.listed.at(-1)).to.deep.equal({ updatedSince: null, cursor: null });
    expect(auth.listed).to.have.length(2);
  });

  it('goes on where it stopped when its process ends in the middle', async () => {
    const { auth, directory } = await start({ pageSize: 2 });
    for (const id of ids(5)) auth.create(id);
    await directory.sweeper.tick();
    await directory.sweeper.stop();
    const again = world.another();
    while ((await again.sweeper.tick()) === 'more');
    expect(auth.listed.map(({ cursor }) => cursor === null)).to.deep.equal([true, false, false]);
  });

  it('runs in one process at a time, and in another when the lease ends', async () => {
    const { auth, directory } = await start({ pageSize: 2, sweep: { leaseMs: 300 } });
    for (const id of ids(5)) auth.create(id);
    await directory.sweeper.tick();
    const other = world.another();
    expect(await other.sweeper.tick()).to.equal('idle');
    expect(auth.listed).to.have.length(1);
    await query(world.db.pool, 'UPDATE directory_sweep SET held_until = clock_timestamp()');
    expect(await other.sweeper.tick()).to.equal('more');
  });

  it('drops a page that took so long that another process has taken the sweep over', async () => {
    const { auth, directory, db } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    auth.answerList(() => ({ kind: 'ok', value: { data: auth.states(), next_cursor: null } }));
    const { users } = auth;
    const slow = { ...users, open: false };
    slow.listUsers = async (place) => {
      await query(db.pool, 'UPDATE directory_sweep SET holder = $1', [randomUUID()]);
      return await users.listUsers(place);
    };
    const late = world.another(slow);
    await late.sweeper.tick();
    expect(await directory.get(id)).to.equal(undefined);
  });

  it('starts its list again when Auth does not take the cursor', async () => {
    const { auth, directory } = await start({ pageSize: 2 });
    for (const id of ids(3)) auth.create(id);
    await directory.sweeper.tick();
    auth.answerList(() => ({ kind: 'unavailable', reason: 'status', status: 400, detail: 'bad cursor' }));
    await directory.sweeper.tick().catch(() => undefined);
    auth.answerList();
    await sweepOnce();
    expect(auth.listed.map(({ cursor }) => cursor === null)).to.deep.equal([true, false, true, false]);
  });

  it('asks for nothing while the breaker is open', async () => {
    const { auth, directory } = await start();
    auth.setOpen(true);
    expect(await directory.sweeper.tick()).to.equal('idle');
    expect(auth.listed).to.have.length(0);
  });

  describe('in a rebuild', () => {
    it('mends rows that were damaged here, also where the version is right', async () => {
      const { auth, directory, db } = await start({ pageSize: 2 });
      const [damaged = '', lost = '', gone = ''] = ids(3);
      for (const id of [damaged, lost, gone]) auth.create(id, { name: 'Ann' });
      auth.remove(gone);
      await sweepOnce();
      await query(db.pool, "UPDATE directory_users SET name = 'garbage' WHERE id = $1", [damaged]);
      await query(db.pool, 'DELETE FROM directory_users WHERE id = $1', [lost]);
      expect(await directory.sweeper.rebuild()).to.deep.equal({ users: 3, changed: 2, unlisted: 0 });
      expect(await directory.get(damaged)).to.include({ name: 'Ann' });
      expect(await directory.get(lost)).to.include({ name: 'Ann' });
      expect(await directory.get(gone)).to.include({ isDeleted: true });
    });

    it('waits for an Auth that is away for longer than a lease, and ends itself what it began', async () => {
      const leaseMs = 2_000;
      const { auth, db, directory } = await start({ pageSize: 2, sweep: { leaseMs } });
      for (const id of ids(5)) auth.create(id);
      auth.setOpen(true);
      const rebuilding = directory.sweeper.rebuild();
      await waitFor(
        async () => (await query(db.pool, "SELECT FROM directory_sweep WHERE kind = 'rebuild'")).length === 1,
      );
      // a process that could go on with it
      const another = world.another({ ...auth.users, open: false });
      const startedAt = performance.now();
      await waitFor(async () => {
        await another.sweeper.tick();
        return performance.now() - startedAt > 2 * leaseMs;
      });
      auth.setOpen(false);
      expect(await rebuilding).to.deep.equal({ users: 5, changed: 5, unlisted: 0 });
    });

    it('follows an Auth that has gone back to a backup', async () => {
      const { auth, directory } = await start();
      const [id = '', never = ''] = ids(2);
      auth.create(id, { name: 'Ann' });
      const backup = auth.state(id);
      auth.change(id, { name: 'Bea' });
      auth.create(never);
      await sweepOnce();
      auth.restore(id, backup);
      auth.restore(never, undefined);
      expect(await directory.sweeper.rebuild()).to.deep.equal({ users: 1, changed: 1, unlisted: 1 });
      expect(await directory.get(id)).to.include({ name: 'Ann', version: 1 });
      await directory.refresher.tick();
      expect(auth.asked, 'who was not listed is asked for').to.deep.equal([never]);
      expect((await world.row(never))?.last_error).to.equal('Auth does not know this user');
    });

    it('follows an Auth that has gone back to a backup from before a deletion', async () => {
      const { auth, directory } = await start();
      const [id = ''] = ids(1);
      auth.create(id, { name: 'Ann' });
      const backup = auth.state(id);
      auth.remove(id);
      await sweepOnce();
      expect(await directory.get(id)).to.include({ isDeleted: true });
      auth.restore(id, backup);
      await directory.sweeper.rebuild();
      expect(await directory.get(id)).to.include({ isDeleted: false, version: 1 });
    });

    it('is safe while events arrive: what is fetched meanwhile is not undone by an older page', async () => {
      const { auth, directory } = await start();
      const [id = ''] = ids(1);
      auth.create(id, { name: 'Ann' });
      await sweepOnce();
      const oldPage = auth.states();
      const { users } = auth;
      const slow = { ...users, open: false };
      slow.listUsers = async () => {
        await world.deliver(auth.change(id, { name: 'Bea' }));
        await world.skipBackOff();
        await directory.refresher.tick();
        return { kind: 'ok', value: { data: oldPage, next_cursor: null } };
      };
      const rebuilder = world.another(slow);
      await rebuilder.sweeper.rebuild();
      expect((await world.row(id))?.name).to.equal('Bea');
    });

    it('waits through an outage of Auth', async () => {
      const { auth, directory } = await start();
      auth.create(randomUUID());
      let answers = 0;
      auth.answerList(() => {
        answers += 1;
        if (answers === 3) auth.answerList();
        return { kind: 'unavailable', reason: 'network', detail: 'away', retryAfterMs: 1 };
      });
      expect(await directory.sweeper.rebuild()).to.include({ users: 1 });
    });
  });
});
