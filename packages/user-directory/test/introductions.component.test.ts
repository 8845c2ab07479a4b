import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { fakeAuth } from './fake-auth.ts';
import { createWorld, type World } from './world.ts';

const hourMs = 3_600_000;

describe('the introduction of new users', () => {
  let world: World;
  let introduced: string[];

  async function start({ ageMs = hourMs } = {}): Promise<World> {
    introduced = [];
    world = await createWorld({
      auth: fakeAuth({ ageMs }),
      introduce: async (_tx, { id }) => {
        introduced.push(id);
        return true;
      },
    });
    return world;
  }
  afterEach(async () => await world.drop());

  async function reconcileOnce(): Promise<void> {
    await query(world.db.pool, "UPDATE directory_reconciliation SET completed_at = completed_at - interval '2 hours'");
    while ((await world.directory.reconciler.tick()) === 'more');
  }

  async function awaiting(): Promise<number> {
    return (await query(world.db.pool, 'SELECT FROM directory_users WHERE awaits_introduction')).length;
  }

  it('happens once, by reconciliation, for a user whose creation no event announced', async () => {
    const { auth } = await start();
    await reconcileOnce();
    const id = randomUUID();
    auth.create(id);
    await reconcileOnce();
    await reconcileOnce();
    expect(introduced).to.deep.equal([id]);
    expect(await world.metric('user_directory_missed_users_total')).to.equal(1);
  });

  it('happens when the user became known in another way', async () => {
    const { auth, directory } = await start();
    await reconcileOnce();
    const [read, changed] = [randomUUID(), randomUUID()];
    auth.create(read);
    auth.create(changed);
    await directory.readThrough(read);
    await world.deliver(auth.change(changed));
    await directory.refresher.tick();
    await reconcileOnce();
    expect(introduced).to.have.members([read, changed]);
  });

  it('is left to the event when it arrives, before or after the user is known', async () => {
    const { auth, directory } = await start();
    await reconcileOnce();
    const [early, late] = [randomUUID(), randomUUID()];
    auth.create(early);
    auth.create(late);
    await directory.readThrough(late);
    for (const id of [early, late]) await world.db.transaction(async (tx) => await directory.introduced(tx, id));
    await reconcileOnce();
    expect(introduced).to.deep.equal([]);
    expect(await directory.get(early)).to.include({ name: 'Ann' });
  });

  it('waits one minute for the event', async () => {
    const { auth } = await start({ ageMs: 0 });
    await reconcileOnce();
    auth.create(randomUUID());
    await reconcileOnce();
    expect(introduced).to.deep.equal([]);
    expect(await awaiting()).to.equal(1);
  });

  it('does not happen for users of the first fill, even if events mention them during it', async () => {
    const { auth, directory } = await start();
    const [quiet, changed] = [randomUUID(), randomUUID()];
    auth.create(quiet);
    auth.create(changed);
    await world.deliver(auth.change(changed));
    await directory.refresher.tick();
    await reconcileOnce();
    expect(introduced).to.deep.equal([]);
    expect(await awaiting()).to.equal(0);
  });

  it('does not happen again for users whose lost rows a rebuild restores', async () => {
    const { auth, directory } = await start();
    const [old, newest] = [randomUUID(), randomUUID()];
    auth.create(old);
    auth.create(newest, { updated_at: new Date(Date.now() - 120_000).toISOString() });
    await reconcileOnce();
    await query(world.db.pool, 'DELETE FROM directory_users WHERE id = $1', [old]);
    await directory.reconciler.rebuild();
    expect(await directory.get(old)).to.include({ name: 'Ann' });
    expect(introduced).to.deep.equal([]);
  });

  it('does not happen for a deleted user, nor while a deletion is claimed', async () => {
    const { auth } = await start();
    await reconcileOnce();
    const [removed, claimed] = [randomUUID(), randomUUID()];
    auth.create(removed);
    auth.remove(removed);
    auth.create(claimed);
    await world.deliver(auth.pretend('auth.user.deleted', claimed));
    await reconcileOnce();
    expect(introduced).to.deep.equal([]);
  });

  it('is rolled back when its action fails, and repeated by the next reconciliation', async () => {
    const { auth } = await start();
    await world.drop();
    let fails = true;
    world = await createWorld({
      auth,
      introduce: async (tx, { id }) => {
        await query(tx, 'UPDATE directory_users SET last_error = $2 WHERE id = $1', [id, 'introduced']);
        if (fails) throw new Error('the database went away');
        return true;
      },
    });
    await reconcileOnce();
    const id = randomUUID();
    auth.create(id);
    await reconcileOnce().catch(() => undefined);
    expect((await world.row(id))?.last_error).to.equal(null);
    fails = false;
    await reconcileOnce();
    expect((await world.row(id))?.last_error).to.equal('introduced');
  });

  it('is not awaited in a service without an action for new users', async () => {
    introduced = [];
    world = await createWorld({ auth: fakeAuth({ ageMs: hourMs }) });
    await reconcileOnce();
    await world.deliver(world.auth.create(randomUUID()));
    expect(await awaiting()).to.equal(0);
  });
});
