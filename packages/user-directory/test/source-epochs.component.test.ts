import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createWorld, type World } from './world.ts';

describe('a directory whose Auth was restored to an earlier time', () => {
  let world: World;
  let id: string;

  beforeEach(async () => {
    world = await createWorld({ refresh: { gapMs: 0 } });
    id = randomUUID();
  });
  afterEach(async () => await world.drop());

  async function fetchAll(): Promise<void> {
    for (let round = 0; round < 8; round++) {
      await world.skipBackOff();
      await world.directory.refresher.tick();
    }
  }

  /** Auth is restored to its state after `create`, and the directory knows two later changes. */
  async function restored(): Promise<void> {
    const { auth } = world;
    await world.deliver(auth.create(id, { name: 'Ann' }));
    await fetchAll();
    const backup = auth.state(id);
    await world.deliver(auth.change(id, { name: 'Lost' }), auth.change(id, { name: 'Lost again' }));
    await fetchAll();
    expect(await world.row(id)).to.include({ name: 'Lost again', version: 3 });
    auth.restore(id, backup);
  }

  it('follows it to a lower version of a newer epoch', async () => {
    await restored();
    world.auth.raiseEpoch();
    await world.deliver(world.auth.change(id, { name: 'After the restore' }));
    await fetchAll();
    expect(await world.row(id)).to.include({ name: 'After the restore', version: 2, stale_since: null });
  });

  it('keeps the higher version as long as the epoch is the same', async () => {
    await restored();
    await world.deliver(world.auth.change(id, { name: 'After the restore' }));
    await fetchAll();
    expect(await world.row(id)).to.include({ name: 'Lost again', version: 3 });
  });

  it('finds unchanged users in a reconciliation, and does not count them as drift', async () => {
    await restored();
    world.auth.raiseEpoch();
    await world.directory.reconciler.tick();
    expect(await world.row(id)).to.include({ name: 'Ann', version: 1, stale_since: null });
    expect(await world.metric('user_directory_drift_total')).to.equal(0);
  });

  it('ignores late events and states of the former epoch', async () => {
    const { auth } = world;
    await restored();
    const late = auth.endAccess(id);
    const lateState = auth.state(id);
    auth.raiseEpoch();
    await world.deliver(auth.change(id, { name: 'New', tokens_valid_after: null }));
    await fetchAll();
    await world.deliver(...late, { ...auth.pretend('auth.user.deleted', id), sourceEpoch: 1 });
    expect(await world.row(id)).to.include({ name: 'New', stale_since: null, tokens_valid_after: null });
    expect(await world.row(id)).to.include({ deletion_claimed_at: null });
    auth.answer(() => ({ kind: 'ok', value: { ...lateState!, version: 9, source_epoch: 1 } }));
    await world.deliver(auth.pretend('auth.user.changed', id));
    await fetchAll();
    expect(await world.row(id)).to.include({ name: 'New' });
  });

  it('restores a deleted user only from a state that was requested after the deletion was confirmed', async () => {
    const { auth } = world;
    await world.deliver(auth.create(id, { name: 'Ann' }));
    await fetchAll();
    const backup = auth.state(id);
    await world.deliver(auth.remove(id));
    await fetchAll();
    expect(await world.row(id)).to.include({ is_deleted: true });
    auth.restore(id, backup);
    await world.directory.reconciler.rebuild();
    expect(await world.row(id), 'a rebuild follows Auth whatever its epoch').to.include({ is_deleted: false });
    auth.raiseEpoch();
    await world.deliver(auth.change(id, { name: 'Back' }));
    await fetchAll();
    expect(await world.row(id)).to.include({ is_deleted: false, name: 'Back' });
  });

  it('recovers from a forged event of a future epoch', async () => {
    const { auth } = world;
    await world.deliver(auth.create(id, { name: 'Ann' }));
    await fetchAll();
    await world.deliver({ ...auth.pretend('auth.user.deleted', id), sourceEpoch: 2_147_483_647 });
    await fetchAll();
    expect(await world.row(id)).to.include({ stale_since: null, deletion_claimed_at: null });
    await world.deliver(auth.change(id, { name: 'Bea' }));
    await fetchAll();
    expect(await world.row(id)).to.include({ name: 'Bea', version: 2 });
  });
});
