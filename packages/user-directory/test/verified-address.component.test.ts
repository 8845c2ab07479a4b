import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { fakeAuth } from './fake-auth.ts';
import { createWorld, type World } from './world.ts';

/** An hour: long enough that the state counts as announced or lost. */
const ageMs = 3_600_000;

describe('Verified addresses in a user directory', () => {
  let world: World;
  let id: string;
  beforeEach(async () => {
    world = await createWorld({ auth: fakeAuth({ ageMs }), requireVerifiedEmail: true });
    id = randomUUID();
  });
  afterEach(async () => await world.drop());

  const check = async (emailVerified?: boolean, directory = world.directory) =>
    await directory.checkUser({ userId: id, role: 'member', emailVerified, issuedAt: new Date() });
  const restricted = { role: 'member', isRestricted: true };

  async function sweep() {
    while ((await world.directory.sweeper.tick()) === 'more');
  }

  it('restrict an account whose address is not verified, whatever its token says', async () => {
    world.auth.create(id, { email_verified: false });
    await world.directory.readThrough(id);
    expect(await check(false)).to.deep.equal(restricted);
    expect(await check(true)).to.deep.equal(restricted);
  });

  it('open the account once the event of the verification has been fetched, with the same token', async () => {
    const { auth, directory } = world;
    auth.create(id, { email_verified: false });
    await directory.readThrough(id);
    await check(false);
    await world.deliver(auth.change(id, { email_verified: true }));
    await world.skipBackOff();
    await directory.refresher.tick();
    await waitFor(async () => !('isRestricted' in Object(await check(false))), { timeoutMs: 600 });
    expect(world.changes.map(({ before, after }) => [before?.emailVerified, after.emailVerified])).to.deep.equal([
      [undefined, false],
      [false, true],
    ]);
  });

  it('close it again when Auth takes the verification back', async () => {
    const { auth, directory } = world;
    auth.create(id);
    await directory.readThrough(id);
    await world.deliver(auth.change(id, { email_verified: false }));
    await world.skipBackOff();
    await directory.refresher.tick();
    await waitFor(async () => 'isRestricted' in Object(await check(true)), { timeoutMs: 600 });
  });

  it('leave nobody a way in who has not arrived: the token has to say that the address is verified', async () => {
    expect(await check(false)).to.deep.equal(restricted);
    expect(await check(undefined)).to.deep.equal(restricted);
    expect(await check(true)).to.deep.equal({ role: 'member' });
    await world.deliver(world.auth.create(id, { email_verified: false }));
    expect(await check(false), 'only the event has arrived').to.deep.equal(restricted);
  });

  it('restrict nobody where they are not required', async () => {
    world.auth.create(id, { email_verified: false });
    await world.directory.readThrough(id);
    expect(await check(false, world.another())).to.deep.equal({ role: 'member' });
  });

  describe('in rows that the version before fetched', () => {
    beforeEach(async () => {
      world.auth.create(id, { email_verified: false });
      await sweep();
      await query(world.db.pool, 'UPDATE directory_users SET email_verified = NULL');
      await query(world.db.pool, 'UPDATE directory_sweep SET full_completed_at = NULL');
      await waitFor(async () => (await world.directory.get(id))?.emailVerified === null);
    });

    it('count as the token says, and are restricted when it says nothing', async () => {
      expect(await check(true)).to.deep.equal({ role: 'member' });
      expect(await check(false)).to.deep.equal(restricted);
      expect(await check(undefined)).to.deep.equal(restricted);
    });

    it('are learnt by a full sweep at once, although the version of the user is the same, and not as drift', async () => {
      await sweep();
      expect(await world.directory.get(id)).to.include({ emailVerified: false, version: 1 });
      expect(await world.metric('user_directory_drift_total')).to.equal(0);
      const pages = world.auth.listed.length;
      await sweep();
      expect(world.auth.listed, 'nothing is unknown any more').to.have.length(pages);
    });

    it('are learnt from a fetch too', async () => {
      await world.deliver({ type: 'auth.user.changed', event: { user_id: id, timestamp: new Date().toISOString() } });
      await world.skipBackOff();
      await world.directory.refresher.tick();
      expect(await world.directory.get(id)).to.include({ emailVerified: false });
    });
  });

  it('are mended by a sweep where the version before took on a newer state without them', async () => {
    world.auth.create(id, { email_verified: false });
    await sweep();
    const { event } = world.auth.change(id, { email_verified: true });
    await query(world.db.pool, 'UPDATE directory_users SET version = 2, updated_at = $2 WHERE id = $1', [
      id,
      event.timestamp,
    ]);
    await query(
      world.db.pool,
      "UPDATE directory_sweep SET completed_at = completed_at - interval '1 hour', caught_up_to = caught_up_to - interval '1 hour'",
    );
    await sweep();
    expect(await world.directory.get(id)).to.include({ emailVerified: true });
  });
});
