import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { migrations } from '../src/migrations.ts';
import { verifyPassword, owaspCost } from '../src/passwords/argon2id.ts';

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const migrateCommand = fileURLToPath(new URL('../src/migrate.ts', import.meta.url));

async function run(script: string, args: string[], given: { stdin?: string; url?: string }) {
  const child = spawn(process.execPath, [script, ...args], {
    env: { PATH: process.env['PATH'], ...(given.url === undefined ? {} : { DATABASE_URL: given.url }) },
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(given.stdin ?? '');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: child.exitCode, stdout, stderr };
}

describe("Auth's command line", () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase(migrations);
  });
  after(async () => {
    await database.drop();
  });

  const add = async (args: string[], stdin = 'taskwire-demo') =>
    await run(cli, ['user', 'add', ...args], { stdin, url: database.url });
  const ann = ['--email', 'Ann@Example.org', '--name', 'Ann', '--role', 'admin'];

  async function users() {
    const { rows } = await database.db.pool.query<{
      email: string;
      role: string;
      email_verified: boolean;
      password_hash: string;
    }>('SELECT email, role, email_verified, password_hash FROM users ORDER BY id');
    return rows;
  }

  it('makes the first admin, with the password of stdin and an event, once', async () => {
    const made = await add(ann, 'taskwire-demo\n');
    expect(made).to.include({ code: 0, stderr: '' });
    expect(made.stdout).to.match(/^made admin Ann@Example\.org with id [0-9a-f-]{36}\n$/);
    const [user, ...others] = await users();
    expect(others).to.deep.equal([]);
    expect(user).to.include({ email: 'Ann@Example.org', role: 'admin', email_verified: true });
    const { matches, outdated } = await verifyPassword('taskwire-demo', user?.password_hash ?? '', owaspCost);
    expect({ matches, outdated }).to.deep.equal({ matches: true, outdated: false });
    const { rows } = await database.db.pool.query<{ type: string }>('SELECT type FROM outbox');
    expect(rows).to.deep.equal([{ type: 'auth.user.created' }]);

    const again = await add(['--email', 'ann@example.ORG', '--name', 'Other', '--role', 'member'], 'another-password');
    expect(again).to.include({ code: 0, stdout: 'ann@example.ORG exists already\n' });
    expect(await users()).to.deep.equal([user]);
  });

  it('names all that is wrong with the arguments, and makes nobody', async () => {
    const before = await users();
    const bad = await add(['--email', 'x', '--role', 'boss'], 'short');
    expect(bad.code).to.equal(2);
    for (const part of ['--email', '--role', '--name is missing', 'password on stdin', 'Usage:']) {
      expect(bad.stderr).to.contain(part);
    }
    expect(bad.stderr).not.to.contain('short');
    const unknown = await add([...ann, '--password', 'x']);
    expect(unknown).to.include({ code: 2 });
    expect(unknown.stderr).to.contain("'--password'");
    for (const args of [[], ['user'], ['user', 'remove'], ['user', 'add', 'extra', ...ann]]) {
      expect((await run(cli, args, { url: database.url })).code, args.join(' ')).to.equal(2);
    }
    expect(await users()).to.deep.equal(before);
  });

  it('shows its usage when asked', async () => {
    const help = await run(cli, ['--help'], {});
    expect(help).to.include({ code: 0, stderr: '' });
    expect(help.stdout).to.contain('user add --email');
  });

  it('says what to do when it has no database, or one that is not migrated', async () => {
    const args = ['user', 'add', ...ann];
    const without = await run(cli, args, { stdin: 'taskwire-demo' });
    expect(without.code).to.equal(1);
    expect(without.stderr).to.contain('DATABASE_URL is not set');
    const empty = await testDatabase([]);
    try {
      const unmigrated = await run(cli, args, { stdin: 'taskwire-demo', url: empty.url });
      expect(unmigrated.code).to.equal(1);
      expect(unmigrated.stderr).to.contain('migrate');
      expect(unmigrated.stderr).not.to.contain(new URL(empty.url).password);
      const migrated = await run(migrateCommand, [], { url: empty.url });
      expect(migrated).to.include({ code: 0, stderr: '' });
      expect(migrated.stdout).to.contain('auth/0001_users');
      expect((await run(migrateCommand, [], { url: empty.url })).stdout).to.contain('nothing to migrate');
      expect((await run(cli, args, { stdin: 'taskwire-demo', url: empty.url })).code).to.equal(0);
    } finally {
      await empty.drop();
    }
  });
});
