import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { createWorld, type World } from './world.ts';

describe('a deletion claimed by an event', () => {
  let world: World;
  let id: string;

  beforeEach(async () => {
    world = await createWorld();
    id = randomUUID();
  });
  afterEach(async () => await world.drop());

  const away = { kind: 'unavailable', reason: 'network', detail: 'away' } as const;

  async function known(): Promise<void> {
    await world.deliver(world.auth.create(id, { name: 'Ann' }));
    await world.directory.refresher.tick();
  }

  /** Fetches due rows for the maximum number of retries. */
  async function fetchAll(): Promise<void> {
    for (let round = 0; round < 8; round++) {
      await world.skipBackOff();
      await world.directory.refresher.tick();
    }
  }

  async function hasAccess(issuedAt = new Date()): Promise<boolean> {
    return (await world.directory.checkUser({ userId: id, role: 'member', issuedAt })) !== 'revoked';
  }

  const accessIs = async (expected: boolean) =>
    await waitFor(async () => (await hasAccess()) === expected, { timeoutMs: 1_000, what: 'the access to change' });

  it("ends only the user's access until Auth confirms it, even while Auth is unavailable", async () => {
    const { auth, changes, directory } = world;
    await known();
    auth.answer(() => away);
    await world.deliver(auth.remove(id));
    await accessIs(false);
    await fetchAll();
    expect(await hasAccess()).to.equal(false);
    expect(await directory.get(id)).to.include({ isDeleted: false, name: 'Ann' });
    expect(
      changes.map(({ after }) => after.isDeleted),
      'the visible user',
    ).to.deep.equal([false]);
    expect(await world.metric('user_directory_claimed_deletions')).to.equal(1);

    auth.answer();
    await fetchAll();
    expect(await directory.get(id)).to.include({ isDeleted: true, name: 'Ann' });
    expect(changes.map(({ after }) => after.isDeleted)).to.deep.equal([false, true]);
    expect(await world.row(id)).to.include({ stale_since: null, deletion_claimed_at: null });
  });

  it('is withdrawn when Auth reports the user as active, without notifying the service', async () => {
    const { auth, changes, directory } = world;
    await known();
    await world.deliver(auth.pretend('auth.user.deleted', id));
    await accessIs(false);
    await fetchAll();
    await accessIs(true);
    expect(await directory.get(id)).to.include({ isDeleted: false, name: 'Ann' });
    expect(changes).to.have.length(1);
    expect(await world.metric('user_directory_fetches_total', { outcome: 'denied' })).to.equal(1);
    expect(await world.metric('user_directory_claimed_deletions')).to.equal(0);
  });

  it('is withdrawn whatever its timestamp, and does not hide later events', async () => {
    const { auth, directory } = world;
    await known();
    for (const laterMs of [60_000, 72 * 365 * 86_400_000]) {
      await world.deliver(auth.pretend('auth.user.deleted', id, laterMs));
      await accessIs(false);
      await fetchAll();
      await accessIs(true);
      await world.deliver(auth.change(id, { name: `after ${laterMs}` }));
      auth.asked.splice(0);
      await fetchAll();
      expect(auth.asked, 'one fetch, as for any change').to.deep.equal([id]);
      expect(await directory.get(id)).to.include({ name: `after ${laterMs}` });
    }
    await world.deliver(auth.remove(id));
    await fetchAll();
    expect(await directory.get(id)).to.include({ isDeleted: true });
  });

  it('is ignored when it is older than the stored state', async () => {
    const { auth, directory } = world;
    const forged = auth.pretend('auth.user.deleted', id);
    await known();
    await world.deliver(forged);
    expect(await hasAccess()).to.equal(true);
    await world.deliver(auth.remove(id));
    await fetchAll();
    await world.deliver(auth.revive(id));
    await fetchAll();
    expect(await directory.get(id)).to.include({ isDeleted: false, version: 3 });
  });

  it('is ignored when it is redelivered after the account was restored', async () => {
    const { auth, changes } = world;
    await known();
    const deletion = auth.remove(id);
    await world.deliver(deletion);
    await fetchAll();
    await world.deliver(auth.revive(id));
    await fetchAll();
    await accessIs(true);
    await world.deliver(deletion);
    expect(await hasAccess()).to.equal(true);
    expect(changes.map(({ after }) => after.isDeleted)).to.deep.equal([false, true, false]);
  });

  it('ends the access of an unknown user, and is dropped when the user is unknown to Auth', async () => {
    const { auth } = world;
    await world.deliver(auth.pretend('auth.user.deleted', id));
    await accessIs(false);
    for (let round = 0; round < 20; round++) await fetchAll();
    expect(auth.asked).to.have.length(15);
    expect(await world.row(id)).to.include({ is_deleted: false, stale_since: null, deletion_claimed_at: null });
  });

  it('is checked indefinitely while Auth reports a known user as unknown, which neither confirms nor denies it', async () => {
    const { auth, directory } = world;
    await known();
    auth.answer(() => ({ kind: 'not_found' }));
    await world.deliver(auth.pretend('auth.user.deleted', id));
    for (let round = 0; round < 4; round++) await fetchAll();
    expect(await directory.get(id)).to.include({ isDeleted: false });
    expect(await hasAccess()).to.equal(false);
    auth.answer();
    await fetchAll();
    await accessIs(true);
  });

  it('is not confirmed by a response older than the stored state, but causes another fetch', async () => {
    const { auth, directory } = world;
    await known();
    await world.deliver(auth.change(id));
    let answer: (() => void) | undefined;
    auth.answer(async () => {
      await new Promise<void>((resolve) => (answer = resolve));
      return { kind: 'gone', detail: 'The user was deleted.' };
    });
    await world.skipBackOff();
    const round = directory.refresher.tick();
    await waitFor(() => answer);
    await directory.reconciler.tick();
    answer?.();
    await round;
    expect(await directory.get(id)).to.include({ isDeleted: false, version: 2 });
    expect(await hasAccess(), 'until the next answer').to.equal(false);
    auth.answer();
    await fetchAll();
    await accessIs(true);
  });

  it('is not denied by a response older than the stored state, such as one from a lagging replica', async () => {
    const { auth } = world;
    await known();
    const old = auth.read(id);
    await world.deliver(auth.change(id));
    await fetchAll();
    await world.deliver(auth.remove(id));
    auth.answer(() => old);
    for (let round = 0; round < 4; round++) await fetchAll();
    expect(await hasAccess()).to.equal(false);
    auth.answer();
    await fetchAll();
    expect(await world.row(id)).to.include({ is_deleted: true });
  });

  it('applies to a forged end of access too: it holds until Auth denies it', async () => {
    const { auth, directory } = world;
    await known();
    const later = 120_000;
    await world.deliver(auth.pretend('auth.account.access_ended', id, later));
    await accessIs(false);
    await fetchAll();
    await accessIs(true);
    expect((await directory.get(id))?.tokensValidAfter).to.equal(null);
    const [changed, ended] = auth.endAccess(id);
    await world.deliver(ended, changed);
    await fetchAll();
    const endedAt = Date.parse(ended.event.timestamp);
    expect((await directory.get(id))?.tokensValidAfter?.getTime()).to.equal(endedAt);
  });

  it('counts as dated now when it is dated in the future, so that a new log-in has access while Auth is unavailable', async () => {
    const { auth } = world;
    await known();
    const before = Date.now();
    await world.deliver(auth.pretend('auth.account.access_ended', id, 365 * 86_400_000));
    const validAfter = (await world.row(id))?.tokens_valid_after?.getTime();
    expect(validAfter).to.be.within(before, Date.now() + 1);
  });
});
