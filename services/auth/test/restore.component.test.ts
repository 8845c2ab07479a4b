import { expect } from 'chai';
import { readEnv } from '@taskwire/env';
import { commandEnv } from '../src/env.ts';
import { wireCommands } from '../src/cli/wire.ts';
import { accountHarness, newPassword, reader, type AccountHarness } from './support/account-harness.ts';
import { expectProblem } from './support/api.ts';
import { addUser, loggedIn, logIn, password, serviceToken } from './support/auth-harness.ts';

type Role = 'admin' | 'manager' | 'member';
type User = { id: string; email: string; name: string; role: Role; version: number; updated_at: string };
type Listed = User & { deleted_at?: string; restorable_until?: string };
type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;

describe('restoring a deleted user', () => {
  let harness: AccountHarness;
  let admin: LoggedIn;
  before(async () => {
    harness = await accountHarness({ AUTH_REQUIRE_VERIFIED_EMAIL: 'false' });
    admin = await loggedIn(harness, 'admin');
  });
  after(async () => {
    await harness.stop();
  });

  const remove = async (id: string, token = admin.token) =>
    await harness.api.call('deleteUser', { token, params: { id } });
  const restore = async (id: string, token = admin.token) =>
    await harness.api.call('restoreUser', { token, params: { id } });
  const daysLater = async (id: string, days: number) =>
    await harness.rows('UPDATE users SET deleted_at = deleted_at - make_interval(hours => $2) WHERE id = $1', [
      id,
      Math.round(days * 24),
    ]);
  const listDeleted = async (query: Record<string, string> = {}, token = admin.token) =>
    await harness.api.call('listUsers', { token, query: { deleted: 'true', limit: '100', ...query } });
  const announced = async (id: string) =>
    await harness.rows<{ type: string; payload: Record<string, unknown> }>(
      "SELECT type, payload FROM outbox WHERE payload->>'user_id' = $1 ORDER BY id",
      [id],
    );
  const internal = async (id: string) =>
    await harness.api.call('getInternalUser', { token: await serviceToken(harness, reader), params: { id } });

  async function deleted(role: Role = 'member'): Promise<User> {
    const user = (await addUser(harness, role)) as User;
    expect((await remove(user.id)).status).to.equal(204);
    return user;
  }

  it('keeps id, name, address and role, under a higher version', async () => {
    const user = await deleted('manager');
    const answer = await restore(user.id);
    expect(answer.status, answer.text).to.equal(200);
    const { id, email, name, role } = user;
    expect(answer.body).to.include({ id, email, name, role, version: 3, email_verified: false });
    expect(answer.headers.get('etag')).to.match(/^"3-/);
    expect((await harness.api.call('getUser', { token: admin.token, params: { id } })).body).to.deep.equal(answer.body);
    const seen = (await internal(id)).body as User & { is_deleted: boolean };
    expect(seen).to.include({ is_deleted: false, version: 3, role: 'manager' });
    const events = await announced(id);
    expect(events.map(({ type }) => type)).to.deep.equal([
      'auth.user.created',
      'auth.account.verification_requested',
      'auth.user.deleted',
      'auth.account.deleted',
      'auth.user.changed',
      'auth.account.password_reset_requested',
      'auth.account.restored',
    ]);
    expect(events.at(4)?.payload).to.deep.equal({ user_id: id, timestamp: (answer.body as User).updated_at });
    expect(events.at(6)?.payload).to.include({ actor: admin.id });
    const audited = await harness.rows<{ actor_id: string; outcome: string }>(
      "SELECT actor_id, outcome FROM audit_log WHERE action = 'user.restore' AND subject_id = $1",
      [id],
    );
    expect(audited).to.deep.equal([{ actor_id: admin.id, outcome: 'success' }]);
  });

  it('restores no old password, session or token: a mailed link sets a new one', async () => {
    const user = await loggedIn(harness, 'member');
    expect((await remove(user.id, user.token)).status).to.equal(204);
    const { tokens_valid_after: ended } = (await restored(user.id)) as { tokens_valid_after: string };
    expect(ended).to.be.a('string');
    expectProblem(await harness.logIn(user.email, password), 'invalid_credentials');
    expectProblem(await harness.me(user.token), 'access_revoked');
    expectProblem(
      await harness.api.call('refresh', { body: { refresh_token: user.refreshToken } }),
      'invalid_refresh_token',
    );
    expect((await harness.reset(await harness.lastToken(user.id))).status).to.equal(204);
    expect((await harness.logIn(user.email, newPassword)).status).to.equal(200);
  });

  /** Restores a user, and returns the user's state as services see it. */
  async function restored(id: string): Promise<unknown> {
    expect((await restore(id)).status).to.equal(200);
    return (await internal(id)).body;
  }

  it('keeps links from before the deletion invalid', async () => {
    const user = await harness.register('link.before@example.org');
    const token = await harness.lastToken(user.id);
    await remove(user.id);
    await restore(user.id);
    expectProblem(await harness.verify(token), 'link_not_valid');
  });

  it('is reserved for admins, within seven days', async () => {
    const [early, late] = [await deleted(), await deleted()];
    const manager = await loggedIn(harness, 'manager');
    expectProblem(await restore(early.id, manager.token), 'forbidden');
    await daysLater(early.id, 6.9);
    await daysLater(late.id, 7.1);
    expect((await restore(early.id)).status).to.equal(200);
    const answer = await restore(late.id);
    expect(answer.status).to.equal(410);
    expectProblem(answer, 'gone');
    expect((await harness.api.call('getUser', { token: admin.token, params: { id: late.id } })).status).to.equal(410);
  });

  it('responds 404 for an unknown user and 410 for an erased one, and leaves an active one unchanged', async () => {
    expectProblem(await restore('01999999-0000-7000-8000-000000000000'), 'not_found');
    const erased = await deleted();
    await harness.rows("UPDATE users SET email = '', name = 'Deleted user', erased_at = now() WHERE id = $1", [
      erased.id,
    ]);
    expectProblem(await restore(erased.id), 'gone');
    const there = (await addUser(harness, 'member')) as User;
    const answer = await restore(there.id);
    expect([answer.status, answer.body]).to.deep.equal([200, there]);
    expect(await announced(there.id)).to.have.length(2);
  });

  it('happens once for any number of concurrent admins', async () => {
    const user = await deleted();
    const answers = await Promise.all(Array.from({ length: 8 }, async () => await restore(user.id)));
    for (const { status, body } of answers) expect([status, (body as User).version]).to.deep.equal([200, 3]);
    const types = (await announced(user.id)).map(({ type }) => type);
    expect(types.filter((type) => type === 'auth.account.restored')).to.have.length(1);
  });

  it('explains what to do if another account has taken the address, and works once that is done', async () => {
    const user = await deleted();
    const other = await harness.register(user.email.toUpperCase());
    const answer = await restore(user.id);
    expect(answer.status).to.equal(409);
    expect(expectProblem(answer, 'email_taken').detail).to.include('Delete that account');
    expect((await harness.api.call('getUser', { token: admin.token, params: { id: user.id } })).status).to.equal(410);
    await remove(other.id);
    expect((await restore(user.id)).status).to.equal(200);
  });

  it('never coincides with erasure', async () => {
    const users = await Promise.all(Array.from({ length: 12 }, async () => await deleted()));
    const second = await harness.replica({ ERASE_DELETED_USERS_DAYS: '1', RESTORE_DELETED_USERS_DAYS: '1' });
    for (const { id } of users) await daysLater(id, 2);
    const [, ...answers] = await Promise.all([
      second.service.retention.tick(),
      ...users.map(async ({ id }) => await restore(id)),
    ]);
    for (const [index, { status }] of answers.entries()) {
      const [row] = await harness.rows<{ email: string; deleted: boolean }>(
        'SELECT email, deleted_at IS NOT NULL AS deleted FROM users WHERE id = $1',
        [users[index]?.id],
      );
      if (status === 200) expect(row).to.deep.equal({ email: users[index]?.email, deleted: false });
      else expect([status, row]).to.deep.equal([410, { email: '', deleted: true }]);
    }
  });

  describe('the list of deleted users', () => {
    it('shows the end of the restore period, can be searched by name, and is for admins only', async () => {
      const user = await deleted();
      const there = (await addUser(harness, 'member')) as User;
      const answer = await listDeleted({ q: user.email });
      expect(answer.status, answer.text).to.equal(200);
      const [listed, ...others] = (answer.body as { data: Listed[] }).data;
      expect(others).to.deep.equal([]);
      expect(listed).to.include({ id: user.id, name: user.name, email: user.email });
      const [since, until] = [Date.parse(listed?.deleted_at ?? ''), Date.parse(listed?.restorable_until ?? '')];
      expect(until - since).to.equal(7 * 86_400_000);
      expect(((await listDeleted({ q: there.email })).body as { data: Listed[] }).data).to.deep.equal([]);
      const living = await harness.api.call('listUsers', { token: admin.token, query: { q: user.email } });
      expect((living.body as { data: Listed[] }).data).to.deep.equal([]);
      for (const role of ['manager', 'member'] as const) {
        expectProblem(await listDeleted({}, (await loggedIn(harness, role)).token), 'forbidden');
      }
    });

    it('is paged, without erased users', async () => {
      const users = [await deleted(), await deleted(), await deleted()];
      const erased = await deleted();
      await harness.rows("UPDATE users SET email = '', name = 'Deleted user', erased_at = now() WHERE id = $1", [
        erased.id,
      ]);
      const found: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const answer = await listDeleted({ limit: '2', ...(cursor === '' ? {} : { cursor }) });
        const page = answer.body as { data: Listed[]; next_cursor: string | null };
        found.push(...page.data.map(({ id }) => id));
        cursor = page.next_cursor;
      }
      expect(found)
        .to.include.members(users.map(({ id }) => id))
        .and.not.to.include(erased.id);
      expect(found).to.deep.equal([...new Set(found)].toSorted());
    });
  });

  describe('the command line', () => {
    async function onCommandLine(email: string) {
      const { stderr } = process;
      const commands = await wireCommands(readEnv(commandEnv, { DATABASE_URL: harness.database.url }), stderr);
      try {
        return await commands.restoreUser(email);
      } finally {
        await commands.close();
      }
    }

    it('restores an admin after a thief has deleted every other one', async () => {
      const robbed = await deleted('admin');
      expect(await onCommandLine(robbed.email.toUpperCase())).to.include({ id: robbed.id, role: 'admin', version: 3 });
      const [entry] = await harness.rows<{ actor_kind: string }>(
        "SELECT actor_kind FROM audit_log WHERE action = 'user.restore' AND subject_id = $1",
        [robbed.id],
      );
      expect(entry?.actor_kind).to.equal('command_line');
    });

    it('finds no user who was never deleted, or was deleted too long ago', async () => {
      const late = await deleted();
      await daysLater(late.id, 8);
      expect(await onCommandLine(late.email)).to.equal(undefined);
      expect(await onCommandLine(admin.email)).to.equal(undefined);
    });
  });

  it('requires the same recent log-in as a deletion', async () => {
    const user = await deleted();
    const session = await logIn(harness, admin.email);
    await harness.rows("UPDATE sessions SET created_at = created_at - interval '1 hour' WHERE user_id = $1", [
      admin.id,
    ]);
    const old = await harness.api.call('refresh', { body: { refresh_token: session.refresh_token } });
    const token = (old.body as { access_token: string }).access_token;
    expectProblem(await restore(user.id, token), 'reauthentication_required');
    const given = { token, params: { id: user.id }, body: { current_password: password } };
    expect((await harness.api.call('restoreUser', given)).status).to.equal(200);
  });
});
