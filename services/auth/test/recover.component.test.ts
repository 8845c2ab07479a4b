import { randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import type { UserCopy } from '../src/domain/recovery.ts';
import { addUser, authHarness, cheapPasswords, logIn, loggedIn, type AuthHarness } from './support/auth-harness.ts';
import { runHere } from './support/command-line.ts';

type Copy = UserCopy & { id: string };

describe('the command user recover, after Auth was restored', () => {
  let harness: AuthHarness;
  const KEY_ENCRYPTION_SECRET = randomBytes(32).toString('base64');

  beforeEach(async () => {
    harness = await authHarness({ KEY_ENCRYPTION_SECRET }, { passwords: cheapPasswords() });
  });
  afterEach(async () => {
    await harness.stop();
  });

  const sql = async <R extends object>(text: string, values: unknown[] = []) =>
    await query<R>(harness.database.db.pool, text, values);

  /** Makes the database look restored; all its data is from before the restore. */
  async function restore(): Promise<void> {
    await sql('UPDATE source_epoch SET epoch = 2, raised_at = clock_timestamp()');
  }

  function copyOf(user: { id: string; email: string; name: string; role: string; version: number }): Copy {
    const { id, email, name, role, version } = user;
    const unchanged = { is_deleted: false, deletion_version: null, gone_at: null, is_deletion_claimed: false };
    return {
      ...{ id, email, name, role, version },
      ...unchanged,
      service: 'tasks',
      source_epoch: 1,
      event_at: null,
      event_epoch: 1,
    };
  }

  const recover = async (...copies: Copy[]) =>
    await runHere(
      ['user', 'recover'],
      { DATABASE_URL: harness.database.url, KEY_ENCRYPTION_SECRET },
      copies.map((copy) => JSON.stringify(copy)).join('\n'),
    );

  const usersNow = async () =>
    new Map(
      (await sql<UserNow>('SELECT id, role, email_verified, deleted_at IS NOT NULL AS deleted FROM users')).map(
        (row) => [row.id, row],
      ),
    );
  type UserNow = { id: string; role: string; email_verified: boolean; deleted: boolean };

  it('revokes the rights again that were revoked in the lost period, and lists the users', async () => {
    const [kept, demoted, deleted, changed] = [
      await addUser(harness, 'admin'),
      await addUser(harness, 'admin'),
      await addUser(harness, 'member'),
      await addUser(harness, 'member'),
    ];
    await restore();
    const { code, stdout, stderr } = await recover(
      copyOf(kept),
      { ...copyOf(demoted), version: 2, role: 'member' },
      { ...copyOf(deleted), is_deleted: true, gone_at: new Date().toISOString() },
      { ...copyOf(changed), version: 5, role: 'admin' },
    );
    expect([code, stderr], stdout).to.deep.equal([0, '']);
    expect(stdout).to.match(new RegExp(`^locked +${demoted.id} .*admin to member, newer in tasks`, 'm'));
    expect(stdout).to.match(new RegExp(`^deleted +${deleted.id} .*deleted in tasks`, 'm'));
    expect(stdout).to.match(new RegExp(`^locked +${changed.id} .*newer in tasks`, 'm'));
    expect(stdout).not.to.include(kept.id);
    const users = await usersNow();
    expect(users.get(kept.id)).to.include({ role: 'admin', deleted: false });
    expect(users.get(demoted.id)).to.include({ role: 'member', deleted: false });
    expect(users.get(changed.id)).to.include({ role: 'member', deleted: false });
    expect(users.get(deleted.id)).to.include({ deleted: true });
    for (const { email } of [demoted, changed])
      await logIn(harness, email).then(
        () => expect.fail('the old password is valid'),
        (error: unknown) => expect(String(error)).to.include('401'),
      );
    const links = await sql<{ user_id: string }>(
      "SELECT user_id FROM account_links WHERE purpose = 'reset_password' AND revoked_at IS NULL",
    );
    expect(links.map(({ user_id: id }) => id)).to.have.members([demoted.id, changed.id]);
    const audited = await sql<{ subject_id: string; actor_kind: string }>(
      "SELECT subject_id, actor_kind FROM audit_log WHERE action = 'user.recover'",
    );
    expect(audited.map(({ subject_id: id }) => id)).to.have.members([kept.id, demoted.id, deleted.id, changed.id]);
    expect(audited[0]).to.include({ actor_kind: 'command_line' });
  });

  it('mails no link to an address that the user had left', async () => {
    const user = await addUser(harness, 'member');
    await restore();
    const { stdout } = await recover({ ...copyOf(user), version: 2, email: 'moved@example.org' });
    expect(stdout).to.match(/no link was mailed, because the lost address was moved@example\.org/);
    expect(await sql("SELECT FROM account_links WHERE purpose = 'reset_password'")).to.have.length(0);
  });

  it('creates a lost user again as a member whose address is not verified', async () => {
    const taken = await addUser(harness, 'member');
    await restore();
    const lost = { id: randomUUID(), email: 'new@example.org', name: 'New', role: 'admin', version: 4 };
    const { stdout } = await recover(
      copyOf(lost),
      { ...copyOf(lost), id: randomUUID(), email: taken.email },
      { ...copyOf(lost), id: randomUUID(), email: 'gone@example.org', is_deleted: true },
    );
    expect(stdout)
      .to.match(new RegExp(`^created +${lost.id} `, 'm'))
      .and.to.match(/^skipped .*another account has/m);
    expect((await usersNow()).get(lost.id)).to.deep.include({ role: 'member', email_verified: false });
    expect(await sql("SELECT FROM users WHERE email = 'gone@example.org'")).to.have.length(0);
  });

  it('ends all sessions, tokens, links and log-ins from before, and replaces the signing keys', async () => {
    const user = await loggedIn(harness, 'member');
    const kids = async () => (await sql<{ kid: string }>('SELECT kid FROM signing_keys')).map(({ kid }) => kid);
    const before = await kids();
    expect(before).to.have.length(1);
    await restore();
    const { stdout } = await recover(copyOf({ ...user, version: 1 }));
    expect(stdout).to.include('replaced the signing keys');
    expect(await kids())
      .to.have.length(1)
      .and.not.to.include(before[0]);
    // the command ends the service's database connections, so a request may get 503 until it has new ones
    const statusOf = async (...call: Parameters<typeof harness.api.call>) => {
      const { status } = await harness.api.call(...call);
      return status === 503 ? undefined : status;
    };
    expect(await waitFor(async () => await statusOf('me', { token: user.token }))).to.equal(401);
    const refresh = { body: { refresh_token: user.refreshToken } };
    expect(await waitFor(async () => await statusOf('refresh', refresh))).to.equal(401);
    const open = "SELECT FROM account_links WHERE purpose = 'verify_email' AND revoked_at IS NULL";
    expect(await sql(open)).to.have.length(0);
    const events = await sql<{ type: string }>("SELECT type FROM outbox WHERE type = 'auth.account.access_ended'");
    expect(events.length).to.be.at.most(1);
    // the restarted service reads the new key
    const restarted = await harness.replica();
    const session = await restarted.api.call('login', {
      body: { email: user.email, password: 'correct horse battery' },
    });
    expect(session.status, session.text).to.equal(200);
  });

  it('rotates the secrets of clients, each shown once, with an audit entry', async () => {
    const env = { DATABASE_URL: harness.database.url };
    const grant = 'urn:taskwire:tasks=tasks:read';
    const added = await runHere(['client', 'add', '--id', 'robot', '--secret', '--grant', grant], env);
    await restore();
    const { stdout } = await recover();
    const secret = /^client +robot has the new secret (\S+)$/m.exec(stdout)?.[1] ?? '';
    expect(secret)
      .to.have.length(43)
      .and.not.to.equal(/ secret (\S+)/.exec(added.stdout)?.[1]);
    const entries = await sql("SELECT FROM audit_log WHERE action = 'client.rotate_secret' AND subject_id = 'robot'");
    expect(entries).to.have.length(1);
  });

  it('publishes the epoch last, can be repeated at any step, and then has nothing to do', async () => {
    const user = await addUser(harness, 'member');
    await restore();
    await recover({ ...copyOf(user), version: 2 });
    const epoch = async () => await sql('SELECT epoch, consistent_epoch FROM source_epoch');
    expect(await epoch()).to.deep.equal([{ epoch: 2, consistent_epoch: 2 }]);
    const state = async () => ({
      users: await sql('SELECT id, version, password_hash FROM users'),
      links: await sql("SELECT id, revoked_at FROM account_links WHERE purpose = 'reset_password'"),
      keys: await sql('SELECT kid FROM signing_keys'),
    });
    const after = await state();
    // as if it had been killed before the last step
    await sql('UPDATE source_epoch SET consistent_epoch = 1');
    expect((await recover({ ...copyOf(user), version: 2 })).code).to.equal(0);
    expect(await state()).to.deep.equal(after);
    const { code, stdout } = await recover();
    expect([code, stdout]).to.deep.equal([
      0,
      'the database was neither restored nor promoted since the suite was last consistent; nothing to do\n',
    ]);
  });

  it("raises the epoch above the copies' epoch", async () => {
    const user = await addUser(harness, 'member');
    await restore();
    await recover({ ...copyOf(user), source_epoch: 4 });
    expect(await sql('SELECT epoch, consistent_epoch FROM source_epoch')).to.deep.equal([
      { epoch: 5, consistent_epoch: 5 },
    ]);
  });
});
