import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { useReconcilingWorld } from './reconciling-world.ts';

describe('the reconciliation of a user directory', () => {
  const { world, start, reconcileOnce } = useReconcilingWorld();

  /** Changes the stored times, as if the last reconciliation had ended two hours ago. */
  async function letTimePass(): Promise<void> {
    await query(
      world().db.pool,
      "UPDATE directory_reconciliation SET completed_at = completed_at - interval '2 hours'",
    );
  }

  const ids = (count: number) => Array.from({ length: count }, () => randomUUID());

  it('fills an empty directory page by page, including deleted users, then becomes idle', async () => {
    const { auth, directory, changes } = await start({ pageSize: 3 });
    const [gone = '', ...others] = ids(8);
    for (const id of [gone, ...others]) auth.create(id);
    auth.remove(gone);
    await reconcileOnce();
    expect(await directory.get(gone)).to.include({ isDeleted: true, name: 'Ann' });
    for (const id of others) expect(await directory.get(id)).to.include({ isDeleted: false });
    expect(changes).to.have.length(8);
    expect(auth.asked).to.have.length(0);
    const pages = auth.listed.length;
    await reconcileOnce();
    expect(auth.listed).to.have.length(pages);
    expect(await world().metric('user_directory_drift_total')).to.equal(0);
    expect(await world().metric('user_directory_reconciliation_age_seconds')).to.be.within(0, 10);
  });

  it('requests the changes since the last reconciliation, with an overlap', async () => {
    const { auth } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    await reconcileOnce();
    await letTimePass();
    await reconcileOnce();
    const newest = Date.parse(auth.state(id)?.updated_at ?? '');
    const [, second] = auth.listed;
    expect(Date.parse(second?.updatedSince ?? '')).to.be.within(newest - 600_001, newest - 599_999);
  });

  it('continues from the current time after a change dated in the future', async () => {
    const { auth, directory } = await start();
    const [ahead = '', later = ''] = ids(2);
    auth.create(ahead, { updated_at: '2099-01-01T00:00:00.000000Z' });
    await reconcileOnce();
    auth.create(later, { updated_at: new Date().toISOString() });
    await letTimePass();
    await reconcileOnce();
    expect(Date.parse(auth.listed.at(-1)?.updatedSince ?? '')).to.be.below(Date.now());
    expect(await directory.get(later)).to.include({ name: 'Ann' });
  });

  it('applies a change and a deletion whose events were lost, and counts them as drift', async () => {
    const { auth, directory } = await start();
    const [changed = '', removed = '', untouched = ''] = ids(3);
    for (const id of [changed, removed, untouched]) auth.create(id);
    await reconcileOnce();
    auth.change(changed, { role: 'manager' });
    auth.remove(removed);
    await letTimePass();
    await reconcileOnce();
    expect(await directory.get(changed)).to.include({ role: 'manager' });
    expect(await directory.get(removed)).to.include({ isDeleted: true });
    expect(await world().metric('user_directory_drift_total')).to.equal(2);
  });

  it('does not count a change as drift when its event has arrived', async () => {
    const { auth } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    await reconcileOnce();
    await world().deliver(auth.change(id));
    await letTimePass();
    await reconcileOnce();
    expect(await world().metric('user_directory_drift_total')).to.equal(0);
    expect((await world().row(id))?.stale_since, 'and no fetch is needed').to.equal(null);
  });

  it('does not count a change as drift while its event may still arrive', async () => {
    const { auth } = await start({ ageMs: 0 });
    const [id = ''] = ids(1);
    auth.create(id);
    await reconcileOnce();
    auth.change(id);
    await letTimePass();
    await reconcileOnce();
    expect(await world().metric('user_directory_drift_total')).to.equal(0);
  });

  it("applies the erasure of a deleted user's data, without counting it as drift", async () => {
    const { auth, changes, directory } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    await reconcileOnce();
    await world().deliver(auth.remove(id));
    await world().skipBackOff();
    await directory.refresher.tick();
    await letTimePass();
    await reconcileOnce();
    expect(await directory.get(id)).to.include({ isDeleted: true, name: 'Ann' });
    const tombstone = auth.state(id);
    if (tombstone === undefined) throw new Error('there is a tombstone');
    const [version, updatedAt] = [tombstone.version + 1, new Date(Date.parse(tombstone.updated_at) + 1_000)];
    const erased = { email: '', name: 'Deleted user', version, updated_at: updatedAt.toISOString() };
    auth.restore(id, { ...tombstone, ...erased });
    await letTimePass();
    await reconcileOnce();
    expect(await world().row(id)).to.include({ email: '', name: 'Deleted user', is_deleted: true });
    expect(await directory.get(id)).to.include({ isDeleted: true, name: 'Deleted user' });
    expect(changes.at(-1)?.after).to.include({ isDeleted: true, email: '' });
    expect(await world().metric('user_directory_drift_total')).to.equal(0);
  });

  it('adds the verification of addresses to older rows, without counting it as drift', async () => {
    const { auth, db, directory } = await start();
    const id = randomUUID();
    auth.create(id);
    await reconcileOnce();
    await query(db.pool, 'UPDATE directory_users SET email_verified = NULL');
    expect(await world().another().get(id)).to.include({ emailVerified: null });
    await query(
      db.pool,
      "UPDATE directory_reconciliation SET full_completed_at = full_completed_at - interval '25 hours'",
    );
    await reconcileOnce();
    expect(await world().row(id)).to.include({ email_verified: true, version: 1 });
    expect(await directory.get(id)).to.include({ emailVerified: true });
    expect(await world().metric('user_directory_drift_total')).to.equal(0);
  });

  it('restores a user for whom an earlier build inserted a tombstone from an event alone, in a full reconciliation', async () => {
    const { auth, changes, db, directory } = await start();
    const [buried = '', deleted = ''] = ids(2);
    for (const id of [buried, deleted]) auth.create(id);
    await reconcileOnce();
    auth.remove(deleted);
    const now = new Date().toISOString();
    await query(db.pool, 'UPDATE directory_users SET is_deleted = true, event_at = $1', [now]);
    await query(
      db.pool,
      "UPDATE directory_reconciliation SET full_completed_at = full_completed_at - interval '25 hours'",
    );
    await waitFor(async () => (await directory.get(buried))?.isDeleted);
    await reconcileOnce();
    expect(await directory.get(buried)).to.include({ isDeleted: false, name: 'Ann', version: 1 });
    expect(await directory.get(deleted)).to.include({ isDeleted: true, version: 2 });
    expect(changes.at(-1)).to.deep.include({ before: { ...changes.at(-1)!.after, isDeleted: true } });
  });

  it('restores an account that an admin restored without an event', async () => {
    const { auth, directory } = await start();
    const [listed = '', answered = ''] = ids(2);
    for (const id of [listed, answered]) auth.create(id);
    await reconcileOnce();
    // one tombstone is created from the list, with a version; the other from a 410, which has none
    await world().deliver(auth.remove(answered));
    await world().skipBackOff();
    await directory.refresher.tick();
    auth.remove(listed);
    await letTimePass();
    await reconcileOnce();
    for (const id of [listed, answered]) expect(await directory.get(id)).to.include({ isDeleted: true });
    for (const id of [listed, answered]) auth.revive(id);
    await letTimePass();
    await reconcileOnce();
    for (const id of [listed, answered]) expect(await directory.get(id)).to.include({ isDeleted: false, version: 3 });
  });

  it('resumes checking a claimed deletion that an earlier build stopped checking', async () => {
    const { auth, db, directory } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    await reconcileOnce();
    await world().deliver(auth.remove(id));
    await query(db.pool, 'UPDATE directory_users SET stale_since = NULL, next_fetch_at = NULL');
    await query(
      db.pool,
      "UPDATE directory_reconciliation SET full_completed_at = full_completed_at - interval '25 hours'",
    );
    auth.answerList(() => ({ kind: 'ok', value: { data: [], next_cursor: null } }));
    await reconcileOnce();
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ isDeleted: true });
  });

  it('lists all users once a day', async () => {
    const { auth, db } = await start();
    auth.create(randomUUID());
    await reconcileOnce();
    await query(
      db.pool,
      "UPDATE directory_reconciliation SET full_completed_at = full_completed_at - interval '25 hours'",
    );
    await reconcileOnce();
    expect(auth.listed.at(-1)).to.deep.equal({ updatedSince: null, cursor: null });
    expect(auth.listed).to.have.length(2);
  });

  it('continues where it stopped when its process ends halfway', async () => {
    const { auth, directory } = await start({ pageSize: 2 });
    for (const id of ids(5)) auth.create(id);
    await directory.reconciler.tick();
    await directory.reconciler.stop();
    const again = world().another();
    while ((await again.reconciler.tick()) === 'more');
    expect(auth.listed.map(({ cursor }) => cursor === null)).to.deep.equal([true, false, false]);
  });

  it('runs in one process at a time, and in another once the lease expires', async () => {
    const { auth, directory } = await start({ pageSize: 2, reconcile: { leaseMs: 300 } });
    for (const id of ids(5)) auth.create(id);
    await directory.reconciler.tick();
    const other = world().another();
    expect(await other.reconciler.tick()).to.equal('idle');
    expect(auth.listed).to.have.length(1);
    await query(world().db.pool, 'UPDATE directory_reconciliation SET lease_expires_at = clock_timestamp()');
    expect(await other.reconciler.tick()).to.equal('more');
  });

  it('discards a page when another process has taken over the reconciliation', async () => {
    const { auth, directory, db } = await start();
    const [id = ''] = ids(1);
    auth.create(id);
    auth.answerList(() => ({ kind: 'ok', value: { data: auth.states(), next_cursor: null } }));
    const { users } = auth;
    const slow = { ...users, open: false };
    slow.listUsers = async (place) => {
      await query(db.pool, 'UPDATE directory_reconciliation SET lease_owner = $1', [randomUUID()]);
      return await users.listUsers(place);
    };
    const late = world().another(slow);
    await late.reconciler.tick();
    expect(await directory.get(id)).to.equal(undefined);
  });

  it('restarts its list when Auth rejects the cursor', async () => {
    const { auth, directory } = await start({ pageSize: 2 });
    for (const id of ids(3)) auth.create(id);
    await directory.reconciler.tick();
    auth.answerList(() => ({ kind: 'unavailable', reason: 'status', status: 400, detail: 'bad cursor' }));
    await directory.reconciler.tick().catch(() => undefined);
    auth.answerList();
    await reconcileOnce();
    expect(auth.listed.map(({ cursor }) => cursor === null)).to.deep.equal([true, false, true, false]);
  });

  it('sends no request while the breaker is open', async () => {
    const { auth, directory } = await start();
    auth.setOpen(true);
    expect(await directory.reconciler.tick()).to.equal('idle');
    expect(auth.listed).to.have.length(0);
  });
});
