import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { fakeAuth } from './fake-auth.ts';
import { createWorld, type World } from './world.ts';

/** An hour, after which the event of a state has either arrived or counts as lost. */
const ageMs = 3_600_000;

describe('verified addresses in a user directory', () => {
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

  async function reconciliation() {
    while ((await world.directory.reconciler.tick()) === 'more');
  }

  it('restrict an account whose address is not verified, whatever its token claims', async () => {
    world.auth.create(id, { email_verified: false });
    await world.directory.readThrough(id);
    expect(await check(false)).to.deep.equal(restricted);
    expect(await check(true)).to.deep.equal(restricted);
  });

  it('unrestrict the account with the same token once its verification has been fetched', async () => {
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

  it('restrict it again when Auth withdraws the verification', async () => {
    const { auth, directory } = world;
    auth.create(id);
    await directory.readThrough(id);
    await world.deliver(auth.change(id, { email_verified: false }));
    await world.skipBackOff();
    await directory.refresher.tick();
    await waitFor(async () => 'isRestricted' in Object(await check(true)), { timeoutMs: 600 });
  });

  it('restrict an unknown user unless the token claims a verified address', async () => {
    expect(await check(false)).to.deep.equal(restricted);
    expect(await check(undefined)).to.deep.equal(restricted);
    expect(await check(true)).to.deep.equal({ role: 'member' });
    await world.deliver(world.auth.create(id, { email_verified: false }));
    expect(await check(false), 'only the event has arrived').to.deep.equal(restricted);
  });

  it('restrict no user when they are not required', async () => {
    world.auth.create(id, { email_verified: false });
    await world.directory.readThrough(id);
    expect(await check(false, world.another())).to.deep.equal({ role: 'member' });
  });

  describe('in rows fetched by the previous version', () => {
    beforeEach(async () => {
      world.auth.create(id, { email_verified: false });
      await reconciliation();
      await query(world.db.pool, 'UPDATE directory_users SET email_verified = NULL');
      await query(world.db.pool, 'UPDATE directory_reconciliation SET full_completed_at = NULL');
      await waitFor(async () => (await world.directory.get(id))?.emailVerified === null);
    });

    it("follow the token's claim, and restrict the account without one", async () => {
      expect(await check(true)).to.deep.equal({ role: 'member' });
      expect(await check(false)).to.deep.equal(restricted);
      expect(await check(undefined)).to.deep.equal(restricted);
    });

    it('are added by an immediate full reconciliation at an equal version, without counting as drift', async () => {
      await reconciliation();
      expect(await world.directory.get(id)).to.include({ emailVerified: false, version: 1 });
      expect(await world.metric('user_directory_drift_total')).to.equal(0);
      const pages = world.auth.listed.length;
      await reconciliation();
      expect(world.auth.listed, 'nothing is still unknown').to.have.length(pages);
    });

    it('are added by a fetch', async () => {
      await world.deliver({
        type: 'auth.user.changed',
        sourceEpoch: 1,
        event: { user_id: id, timestamp: new Date().toISOString() },
      });
      await world.skipBackOff();
      await world.directory.refresher.tick();
      expect(await world.directory.get(id)).to.include({ emailVerified: false });
    });
  });

  it('are added by reconciliation when the previous version stored a newer state without them', async () => {
    world.auth.create(id, { email_verified: false });
    await reconciliation();
    const { event } = world.auth.change(id, { email_verified: true });
    await query(world.db.pool, 'UPDATE directory_users SET version = 2, updated_at = $2 WHERE id = $1', [
      id,
      event.timestamp,
    ]);
    await query(
      world.db.pool,
      "UPDATE directory_reconciliation SET completed_at = completed_at - interval '1 hour', complete_up_to = complete_up_to - interval '1 hour'",
    );
    await reconciliation();
    expect(await world.directory.get(id)).to.include({ emailVerified: true });
  });
});
