import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { createWorld, type World } from './world.ts';

describe('reads of a user directory', () => {
  let world: World;
  let id: string;

  before(async () => {
    world = await createWorld();
  });
  beforeEach(() => {
    world.auth.answer();
    world.auth.asked.splice(0);
    world.changes.splice(0);
    id = randomUUID();
  });
  after(async () => await world.drop());

  it('return the changes of another process within half a second', async () => {
    const { auth, directory, db } = world;
    auth.create(id, { name: 'Ann' });
    await directory.readThrough(id);
    expect(await directory.get(id)).to.include({ name: 'Ann' });
    await query(db.pool, "UPDATE directory_users SET name = 'Bea', version = 2 WHERE id = $1", [id]);
    const wroteAt = performance.now();
    await waitFor(async () => (await directory.get(id))?.version === 2);
    expect(performance.now() - wroteAt).to.be.below(600);
  });

  it('return the changes of this process at once', async () => {
    const { auth, directory } = world;
    await world.deliver(auth.create(id));
    await directory.refresher.tick();
    await directory.get(id);
    await world.deliver(auth.change(id, { role: 'manager' }));
    await world.skipBackOff();
    await directory.refresher.tick();
    expect(await directory.get(id)).to.include({ role: 'manager' });
  });

  it('query Auth about an unknown user once for any number of callers', async () => {
    const { auth, directory } = world;
    auth.create(id);
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await directory.readThrough(id)));
    expect(new Set(answers.map(({ kind }) => kind))).to.deep.equal(new Set(['ok']));
    expect(auth.asked).to.deep.equal([id]);
    await directory.readThrough(id);
    expect(auth.asked, 'now they are known').to.have.length(1);
  });

  it('distinguish deleted users, unknown users and an unavailable Auth', async () => {
    const { auth, directory } = world;
    expect(await directory.readThrough(id)).to.deep.equal({ kind: 'not_found' });
    expect(await world.row(id), 'an invented id creates no row').to.equal(undefined);
    auth.answer(() => ({ kind: 'unavailable', reason: 'network', detail: 'away' }));
    expect(await directory.readThrough(id)).to.include({ kind: 'unavailable' });
    auth.answer();
    auth.create(id);
    auth.remove(id);
    const answer = await directory.readThrough(id);
    expect(answer.kind === 'ok' && answer.user.isDeleted).to.equal(true);
  });

  it('return the name and address of a user deleted before they were known, without waiting for reconciliation', async () => {
    const { auth, directory } = world;
    const created = auth.create(id, { name: 'Ann', email: 'ann@example.org' });
    const deleted = auth.remove(id);
    await world.deliver(created);
    await world.deliver(deleted);
    const nameless = await directory.readThrough(id);
    expect(nameless.kind === 'ok' && nameless.user).to.include({ isDeleted: true, name: null, email: null });
    const former = await directory.readFormer(id, deleted.event.timestamp);
    expect(former.kind === 'ok' && former.user).to.include({ isDeleted: true, name: 'Ann', email: 'ann@example.org' });
    auth.answer(() => ({ kind: 'unavailable', reason: 'network', detail: 'away' }));
    expect(await directory.readFormer(id, deleted.event.timestamp), 'it is known from now on').to.include({
      kind: 'ok',
    });
  });

  it('call `onApplied` once for a user that was read through, in the same transaction', async () => {
    world.auth.create(id);
    await world.directory.readThrough(id);
    await world.directory.readThrough(id);
    expect(world.changes.map(({ before, after }) => [before, after.id])).to.deep.equal([[undefined, id]]);
  });

  describe('for the check of an access token', () => {
    const issuedAt = new Date();
    const claims = () => ({ userId: id, role: 'member' as const, issuedAt });

    it('returns the current role, not the role in the token', async () => {
      world.auth.create(id, { role: 'admin' });
      await world.directory.readThrough(id);
      expect(await world.directory.checkUser(claims())).to.deep.equal({ role: 'admin' });
    });

    it('trusts the token for a user who is not in the directory yet', async () => {
      expect(await world.directory.checkUser(claims())).to.deep.equal({ role: 'member' });
    });

    it('trusts the token for a user known only from an event', async () => {
      await world.deliver(world.auth.create(id, { role: 'admin' }));
      expect(await world.directory.checkUser(claims())).to.deep.equal({ role: 'member' });
    });

    it('revokes the access of a deleted user with the event, before any fetch', async () => {
      world.auth.create(id);
      await world.directory.readThrough(id);
      await world.deliver(world.auth.remove(id));
      await waitFor(async () => (await world.directory.checkUser(claims())) === 'revoked', { timeoutMs: 600 });
      expect(world.auth.asked).to.have.length(1);
    });

    it('rejects tokens issued before all sessions were ended, and accepts later ones', async () => {
      world.auth.create(id, { tokens_valid_after: new Date(issuedAt.getTime() + 1).toISOString() });
      await world.directory.readThrough(id);
      expect(await world.directory.checkUser(claims())).to.equal('revoked');
      const later = new Date(issuedAt.getTime() + 1);
      expect(await world.directory.checkUser({ ...claims(), issuedAt: later })).to.deep.equal({ role: 'member' });
    });

    it('rejects a role unknown to this build', async () => {
      world.auth.create(id, { role: 'accountant' });
      await world.directory.readThrough(id);
      expect(await world.directory.checkUser(claims())).to.equal('revoked');
    });
  });
});
