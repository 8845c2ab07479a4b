import { expect } from 'chai';
import { events } from '@taskwire/contracts';
import { readEnv } from '@taskwire/env';
import { commandEnv } from '../src/env.ts';
import { wireCommands } from '../src/cli/wire.ts';
import { addUser, authHarness, cheapPasswords, loggedIn, password, type AuthHarness } from './support/auth-harness.ts';

type AccountEvent = { type: keyof typeof events; aggregate_id: string; payload: Record<string, string | null> };
type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;

describe('events that notify users about their accounts', () => {
  let harness: AuthHarness;
  let admin: LoggedIn;
  let others: string[];
  before(async () => {
    // without a relay, so that events stay in the outbox
    harness = await authHarness({ PROCESS_ROLE: 'api' }, { passwords: cheapPasswords() });
    admin = await loggedIn(harness, 'admin');
    others = [admin.id, (await addUser(harness, 'admin')).id];
  });
  beforeEach(async () => {
    await harness.database.db.pool.query('TRUNCATE outbox');
  });
  after(async () => {
    await harness.stop();
  });

  /** The unpublished account events, except those about links and ended access. Each event is its own aggregate. */
  async function announced(): Promise<AccountEvent[]> {
    const { rows } = await harness.database.db.pool.query<AccountEvent>(
      String.raw`SELECT type, aggregate_id, payload FROM outbox
        WHERE type LIKE 'auth.account.%' AND type NOT LIKE '%\_requested' AND type NOT LIKE '%access\_ended' ORDER BY id`,
    );
    for (const { type, payload } of rows) expect(events[type].strict().parse(payload)).to.deep.equal(payload);
    expect(new Set(rows.map((row) => row.aggregate_id)).size).to.equal(rows.length);
    return rows;
  }
  const change = async (id: string, body: object) =>
    await harness.api.call('changeUser', { token: admin.token, params: { id }, body });
  const remove = async (id: string, token = admin.token) =>
    await harness.api.call('deleteUser', { token, params: { id } });

  /** The users to be notified of the new admin. */
  async function notified(adminId: string, actor: string | null): Promise<string[]> {
    const added = (await announced()).filter(({ type }) => type === 'auth.account.admin_added');
    for (const { payload } of added) expect(payload).to.include({ admin_id: adminId, actor });
    return added.map(({ payload }) => payload['user_id'] ?? '').toSorted();
  }

  it('name the actor of a deletion and the time until which it can be reversed', async () => {
    const [one, two] = [await addUser(harness, 'member'), await loggedIn(harness, 'member')];
    await harness.database.db.pool.query('TRUNCATE outbox');
    await remove(one.id);
    await remove(two.id, two.token);
    const published = await announced();
    expect(published.map(({ type }) => type)).to.deep.equal(['auth.account.deleted', 'auth.account.deleted']);
    expect(published[0]?.payload).to.include({ user_id: one.id, actor: admin.id });
    expect(published[1]?.payload).to.include({ user_id: two.id, actor: two.id });
    for (const { payload } of published) {
      const days =
        (Date.parse(payload['restorable_until'] ?? '') - Date.parse(payload['timestamp'] ?? '')) / 86_400_000;
      expect(days).to.be.closeTo(7, 0.01);
    }
  });

  it("say that a deletion is final where it can't be reversed, and state a shorter restore period if the data is erased sooner", async () => {
    for (const [settings, days] of [
      [{ RESTORE_DELETED_USERS_DAYS: '0' }, null],
      [{ ERASE_DELETED_USERS_DAYS: '3' }, 3],
    ] as const) {
      const replica = await harness.replica(settings);
      const { id } = await addUser(harness, 'member');
      await harness.database.db.pool.query('TRUNCATE outbox');
      await replica.api.call('deleteUser', { token: admin.token, params: { id } });
      const [deleted] = await announced();
      const { restorable_until: until = '', timestamp } = deleted?.payload ?? {};
      if (days === null) expect(until).to.equal(null);
      else expect((Date.parse(until ?? '') - Date.parse(timestamp ?? '')) / 86_400_000).to.be.closeTo(days, 0.01);
      if (days === null) {
        const answer = await replica.api.call('restoreUser', { token: admin.token, params: { id } });
        expect(answer.status).to.equal(410);
      }
    }
  });

  it('name the new role after a change of role', async () => {
    const { id } = await addUser(harness, 'member');
    await harness.database.db.pool.query('TRUNCATE outbox');
    await change(id, { role: 'manager', name: 'Renamed' });
    const [changed, ...more] = await announced();
    expect(more).to.deep.equal([]);
    expect(changed).to.have.property('type', 'auth.account.role_changed');
    expect(changed?.payload).to.include({ user_id: id, actor: admin.id, role: 'manager' });
  });

  it('are not published when the role stays the same or another field changes', async () => {
    const { id, name } = await addUser(harness, 'manager');
    await harness.database.db.pool.query('TRUNCATE outbox');
    await change(id, { role: 'manager' });
    await change(id, { name: `${name} the second` });
    expect(await announced()).to.deep.equal([]);
  });

  describe('events about a new admin', () => {
    /** Demotes the new admin, so that each test begins with the same admins. */
    async function demote(id: string): Promise<void> {
      expect((await change(id, { role: 'member' })).status).to.equal(200);
    }

    it('reach every other admin when an admin creates one', async () => {
      const body = { email: 'new.admin@example.org', password, name: 'New', role: 'admin' };
      const { id } = (await harness.api.call('createUser', { token: admin.token, body })).body as { id: string };
      expect(await notified(id, admin.id)).to.deep.equal(others.toSorted());
      await demote(id);
    });

    it('reach every other admin when a user gets the role', async () => {
      const { id } = await addUser(harness, 'manager');
      await change(id, { role: 'admin' });
      expect(await notified(id, admin.id)).to.deep.equal(others.toSorted());
      await demote(id);
    });

    it('reach every other admin when an admin is restored', async () => {
      const { id } = await addUser(harness, 'admin');
      await remove(id);
      await harness.database.db.pool.query('TRUNCATE outbox');
      expect((await harness.api.call('restoreUser', { token: admin.token, params: { id } })).status).to.equal(200);
      expect(await notified(id, admin.id)).to.deep.equal(others.toSorted());
      await demote(id);
    });

    it('reach every other admin when the command line creates one', async () => {
      const commands = await wireCommands(readEnv(commandEnv, { DATABASE_URL: harness.database.url }), process.stderr);
      const account = { email: 'by.command@example.org', password, name: 'By Command', emailVerified: true };
      const { id } = await commands.createUser({ ...account, role: 'admin' });
      await commands.close();
      expect(await notified(id, null)).to.deep.equal(others.toSorted());
      await demote(id);
    });

    it('reach at least one of two admins who are added at the same time', async () => {
      const made = await Promise.all(
        ['one', 'two'].map(async (name) => {
          const body = { email: `${name}.at.once@example.org`, password, name, role: 'admin' };
          return ((await harness.api.call('createUser', { token: admin.token, body })).body as { id: string }).id;
        }),
      );
      const pairs = (await announced()).map(({ payload }) => `${payload['user_id']} of ${payload['admin_id']}`);
      for (const id of made) for (const other of others) expect(pairs).to.include(`${other} of ${id}`);
      const [one, two] = made;
      expect(pairs.filter((text) => text === `${one} of ${two}` || text === `${two} of ${one}`)).to.have.length(1);
      for (const id of made) await demote(id);
    });

    it('are not published for members and managers', async () => {
      const body = { email: 'new.manager@example.org', password, name: 'New', role: 'manager' };
      await harness.api.call('createUser', { token: admin.token, body });
      expect(await announced()).to.deep.equal([]);
    });
  });
});
