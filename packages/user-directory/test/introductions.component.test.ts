import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { fakeAuth } from './fake-auth.ts';
import { createWorld, type World } from './world.ts';

const hourMs = 3_600_000;

describe('The introduction of new users', () => {
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

  async function sweepOnce(): Promise<void> {
    await query(world.db.pool, "UPDATE directory_sweep SET completed_at = completed_at - interval '2 hours'");
    while ((await world.directory.sweeper.tick()) === 'more');
  }

  async function awaiting(): Promise<number> {
    return (await query(world.db.pool, 'SELECT FROM directory_users WHERE awaits_introduction')).length;
  }

  it('is made by a sweep, once, for a user whose creation no event told of', async () => {
    const { auth } = await start();
    await sweepOnce();
    const id = randomUUID();
    auth.create(id);
    await sweepOnce();
    await sweepOnce();
    expect(introduced).to.deep.equal([id]);
    expect(await world.metric('user_directory_missed_users_total')).to.equal(1);
  });

  it('is made also when something else made the user known', async () => {
    const { auth, directory } = await start();
    await sweepOnce();
    const [read, changed] = [randomUUID(), randomUUID()];
    auth.create(read);
    auth.create(changed);
    await directory.readThrough(read);
    await world.deliver(auth.change(changed));
    await directory.refresher.tick();
    await sweepOnce();
    expect(introduced).to.have.members([read, changed]);
  });

  it('is left to the event where that comes, before or after the user is known', async () => {
    const { auth, directory } = await start();
    await sweepOnce();
    const [early, late] = [randomUUID(), randomUUID()];
    auth.create(early);
    auth.create(late);
    await directory.readThrough(late);
    for (const id of [early, late]) await world.db.transaction(async (tx) => await directory.introduced(tx, id));
    await sweepOnce();
    expect(introduced).to.deep.equal([]);
    expect(await directory.get(early)).to.include({ name: 'Ann' });
  });

  it('waits for the event for a minute', async () => {
    const { auth } = await start({ ageMs: 0 });
    await sweepOnce();
    auth.create(randomUUID());
    await sweepOnce();
    expect(introduced).to.deep.equal([]);
    expect(await awaiting()).to.equal(1);
  });

  it('is not made for the users of the first fill, whatever was heard of them meanwhile', async () => {
    const { auth, directory } = await start();
    const [quiet, changed] = [randomUUID(), randomUUID()];
    auth.create(quiet);
    auth.create(changed);
    await world.deliver(auth.change(changed));
    await directory.refresher.tick();
    await sweepOnce();
    expect(introduced).to.deep.equal([]);
    expect(await awaiting()).to.equal(0);
  });

  it('is not made again for users whose rows were lost and are brought back by a rebuild', async () => {
    const { auth, directory } = await start();
    const [old, newest] = [randomUUID(), randomUUID()];
    auth.create(old);
    auth.create(newest, { updated_at: new Date(Date.now() - 120_000).toISOString() });
    await sweepOnce();
    await query(world.db.pool, 'DELETE FROM directory_users WHERE id = $1', [old]);
    await directory.sweeper.rebuild();
    expect(await directory.get(old)).to.include({ name: 'Ann' });
    expect(introduced).to.deep.equal([]);
  });

  it('does not touch a user whose deletion is claimed, nor one who is deleted', async () => {
    const { auth } = await start();
    await sweepOnce();
    const [removed, claimed] = [randomUUID(), randomUUID()];
    auth.create(removed);
    auth.remove(removed);
    auth.create(claimed);
    await world.deliver(auth.pretend('auth.user.deleted', claimed));
    await sweepOnce();
    expect(introduced).to.deep.equal([]);
  });

  it('is rolled back with what it did when that fails, and made by the next sweep', async () => {
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
    await sweepOnce();
    const id = randomUUID();
    auth.create(id);
    await sweepOnce().catch(() => undefined);
    expect((await world.row(id))?.last_error).to.equal(null);
    fails = false;
    await sweepOnce();
    expect((await world.row(id))?.last_error).to.equal('introduced');
  });

  it('is awaited by nobody in a service that does nothing for new users', async () => {
    introduced = [];
    world = await createWorld({ auth: fakeAuth({ ageMs: hourMs }) });
    await sweepOnce();
    await world.deliver(world.auth.create(randomUUID()));
    expect(await awaiting()).to.equal(0);
  });
});
