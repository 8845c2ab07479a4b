import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { useReconcilingWorld } from './reconciling-world.ts';

describe('the rebuild of a user directory', () => {
  const { world, start, reconcileOnce } = useReconcilingWorld();

  const ids = (count: number) => Array.from({ length: count }, () => randomUUID());

  it('repairs damaged rows, even when their version is right', async () => {
    const { auth, directory, db } = await start({ pageSize: 2 });
    const [damaged = '', lost = '', gone = ''] = ids(3);
    for (const id of [damaged, lost, gone]) auth.create(id, { name: 'Ann' });
    auth.remove(gone);
    await reconcileOnce();
    await query(db.pool, "UPDATE directory_users SET name = 'garbage' WHERE id = $1", [damaged]);
    await query(db.pool, 'DELETE FROM directory_users WHERE id = $1', [lost]);
    expect(await directory.reconciler.rebuild()).to.deep.equal({ users: 3, changed: 2, missing: 0 });
    expect(await directory.get(damaged)).to.include({ name: 'Ann' });
    expect(await directory.get(lost)).to.include({ name: 'Ann' });
    expect(await directory.get(gone)).to.include({ isDeleted: true });
  });

  it('waits for an Auth that is unavailable for longer than a lease, and completes in the same process', async () => {
    const leaseMs = 2_000;
    const { auth, db, directory } = await start({ pageSize: 2, reconcile: { leaseMs } });
    for (const id of ids(5)) auth.create(id);
    auth.setOpen(true);
    const rebuilding = directory.reconciler.rebuild();
    await waitFor(
      async () => (await query(db.pool, "SELECT FROM directory_reconciliation WHERE kind = 'rebuild'")).length === 1,
    );
    // a process that could continue it
    const another = world().another({ ...auth.users, open: false });
    const startedAt = performance.now();
    await waitFor(async () => {
      await another.reconciler.tick();
      return performance.now() - startedAt > 2 * leaseMs;
    });
    auth.setOpen(false);
    expect(await rebuilding).to.deep.equal({ users: 5, changed: 5, missing: 0 });
  });

  it('follows an Auth that was restored from a backup', async () => {
    const { auth, directory } = await start();
    const [id = '', never = ''] = ids(2);
    auth.create(id, { name: 'Ann' });
    const backup = auth.state(id);
    auth.change(id, { name: 'Bea' });
    auth.create(never);
    await reconcileOnce();
    auth.restore(id, backup);
    auth.restore(never, undefined);
    expect(await directory.reconciler.rebuild()).to.deep.equal({ users: 1, changed: 1, missing: 1 });
    expect(await directory.get(id)).to.include({ name: 'Ann', version: 1 });
    await directory.refresher.tick();
    expect(auth.asked, 'a user who was not listed is fetched').to.deep.equal([never]);
    expect((await world().row(never))?.last_error).to.equal('unknown to Auth');
  });

  it('follows an Auth that was restored from a backup taken before a deletion', async () => {
    const { auth, directory } = await start();
    const [id = ''] = ids(1);
    auth.create(id, { name: 'Ann' });
    const backup = auth.state(id);
    auth.remove(id);
    await reconcileOnce();
    expect(await directory.get(id)).to.include({ isDeleted: true });
    auth.restore(id, backup);
    await directory.reconciler.rebuild();
    expect(await directory.get(id)).to.include({ isDeleted: false, version: 1 });
  });

  it('does not overwrite newer fetches with an older page while events arrive', async () => {
    const { auth, directory } = await start();
    const [id = ''] = ids(1);
    auth.create(id, { name: 'Ann' });
    await reconcileOnce();
    const oldPage = auth.states();
    const { users } = auth;
    const slow = { ...users, open: false };
    slow.listUsers = async () => {
      await world().deliver(auth.change(id, { name: 'Bea' }));
      await world().skipBackOff();
      await directory.refresher.tick();
      return { kind: 'ok', value: { data: oldPage, next_cursor: null } };
    };
    const rebuilder = world().another(slow);
    await rebuilder.reconciler.rebuild();
    expect((await world().row(id))?.name).to.equal('Bea');
  });

  it('continues after an outage of Auth', async () => {
    const { auth, directory } = await start();
    auth.create(randomUUID());
    let answers = 0;
    auth.answerList(() => {
      answers += 1;
      if (answers === 3) auth.answerList();
      return { kind: 'unavailable', reason: 'network', detail: 'away', retryAfterMs: 1 };
    });
    expect(await directory.reconciler.rebuild()).to.include({ users: 1 });
  });
});
