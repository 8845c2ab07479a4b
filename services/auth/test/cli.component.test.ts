import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { audiences } from '@taskwire/contracts';
import { expect } from 'chai';
import { programEnv, testDatabase, type TestDatabase } from '@taskwire/testing';
import { migrations } from '../src/migrations.ts';
import { verifyPassword, owaspCost } from '../src/passwords/argon2id.ts';
import { runHere } from './support/command-line.ts';

const cli = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const migrateCommand = fileURLToPath(new URL('../src/migrate.ts', import.meta.url));

async function run(script: string, args: string[], given: { stdin?: string; url?: string }) {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...programEnv(), ...(given.url === undefined ? {} : { DATABASE_URL: given.url }) },
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
    await runHere(['user', 'add', ...args], { DATABASE_URL: database.url }, stdin);
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

  it('creates the first admin with the password from stdin and an event, once', async () => {
    const made = await add(ann, 'taskwire-demo\n');
    expect(made).to.include({ code: 0, stderr: '' });
    expect(made.stdout).to.match(/^created admin Ann@Example\.org with id [0-9a-f-]{36}\n$/);
    const [user, ...others] = await users();
    expect(others).to.deep.equal([]);
    expect(user).to.include({ email: 'Ann@Example.org', role: 'admin', email_verified: true });
    const { matches, outdated } = await verifyPassword('taskwire-demo', user?.password_hash ?? '', owaspCost);
    expect({ matches, outdated }).to.deep.equal({ matches: true, outdated: false });
    const { rows } = await database.db.pool.query<{ type: string }>('SELECT type FROM outbox');
    expect(rows).to.deep.equal([{ type: 'auth.user.created' }]);
    const { rows: audited } = await database.db.pool.query<object>(
      'SELECT actor_kind, action, subject_id, outcome FROM audit_log',
    );
    const [, id] = /id ([0-9a-f-]{36})/.exec(made.stdout) ?? [];
    expect(audited).to.deep.equal([
      { actor_kind: 'command_line', action: 'user.create', subject_id: id, outcome: 'success' },
    ]);

    const again = await add(['--email', 'ann@example.ORG', '--name', 'Other', '--role', 'member'], 'another-password');
    expect(again).to.include({ code: 0, stdout: 'ann@example.ORG already exists\n' });
    expect(await users()).to.deep.equal([user]);
  });

  it('creates no user with an address that another account may take back, and explains why', async () => {
    const before = await users();
    await database.db.pool.query(
      `INSERT INTO account_links (id, user_id, purpose, email, created_at, expires_at)
       SELECT uuidv7(), id, 'undo_email', 'given.up@example.org', now(), now() + interval '1 day' FROM users LIMIT 1`,
    );
    const args = ['--email', 'Given.Up@example.org', '--name', 'Other', '--role', 'member'];
    const refused = await add(args, 'another horse battery');
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.contain('Given.Up@example.org is reserved');
    expect(await users()).to.deep.equal(before);
  });

  it('names every invalid argument, and creates no user', async () => {
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
      expect((await runHere(args, { DATABASE_URL: database.url })).code, args.join(' ')).to.equal(2);
    }
    expect(await users()).to.deep.equal(before);
  });

  it('rejects a weak password, and explains how to improve it', async () => {
    const before = await users();
    const weak = await add(['--email', 'weak@example.org', '--name', 'Weak', '--role', 'admin'], 'weak@example.org');
    expect(weak).to.include({ code: 1, stdout: '' });
    expect(weak.stderr).to.contain('Use a longer one');
    expect(await users()).to.deep.equal(before);
  });

  describe('importing users', () => {
    const importing = async (lines: unknown[]) =>
      await runHere(
        ['user', 'import'],
        { DATABASE_URL: database.url },
        lines.map((line) => JSON.stringify(line)).join('\n'),
      );
    const ann = { email: 'import-ann@example.org', name: 'Ann', role: 'member', password: 'plum-kettle-orbit' };
    const ben = { ...ann, email: 'import-ben@example.org', name: 'Ben' };

    it('creates all of them in one process, and leaves existing users unchanged', async () => {
      expect((await importing([ann])).stdout).to.match(
        /^created member import-ann@example.org with id [0-9a-f-]{36}\n$/,
      );
      const both = await importing([ann, ben]);
      expect(both).to.include({ code: 0, stderr: '' });
      expect(both.stdout).to.match(
        /^import-ann@example.org already exists\ncreated member import-ben@example.org with id /,
      );
    });

    it('creates no user if a line is invalid, and names line and field without showing a password', async () => {
      const cas = { ...ann, email: 'import-cas@example.org' };
      const { code, stderr } = await importing([cas, { ...cas, role: 'boss' }, 'x', { ...cas, password: 'hunter2' }]);
      expect(code).to.equal(2);
      expect(stderr).to.contain('line 2: role').and.contain('line 3: ').and.contain('line 4: password');
      expect(stderr).not.to.contain('hunter2');
      expect((await importing([cas])).stdout).to.contain('created member');
    });

    it('explains an empty stdin', async () => {
      expect(await importing([])).to.deep.include({ code: 2 });
    });
  });

  it('shows its usage on request', async () => {
    const help = await runHere(['--help'], {});
    expect(help).to.include({ code: 0, stderr: '' });
    expect(help.stdout).to.contain('user add --email');
    for (const [audience, { user, service }] of Object.entries(audiences)) {
      for (const name of [audience, ...user, ...service]) expect(help.stdout).to.contain(name);
    }
  });

  describe('managing clients', () => {
    const client = async (...args: string[]) => await runHere(['client', ...args], { DATABASE_URL: database.url });
    const grant = ['--grant', 'urn:taskwire:auth=users:read'];

    it('adds a client with a secret that is shown once and stored as a hash, lists it, rotates the secret, and removes it', async () => {
      const added = await client('add', '--id', 'script', '--secret', ...grant);
      const secret = /^added script with the secret ([\w-]{43})\n$/.exec(added.stdout)?.[1] ?? '';
      expect(secret).to.have.length(43);
      const stored = async () => JSON.stringify((await database.db.pool.query('SELECT settings FROM clients')).rows);
      const before = await stored();
      expect(before).to.contain('secret_hash').and.not.contain(secret);
      expect((await client('list')).stdout).to.equal('script  secret  urn:taskwire:auth=users:read\n');
      const again = await client('add', '--id', 'script', '--secret', ...grant);
      expect(again).to.include({ code: 1, stderr: 'the client script already exists\n' });
      expect((await client('rotate-secret', '--id', 'script')).stdout).to.match(
        /^script has the new secret [\w-]{43}\n$/,
      );
      expect(await stored()).not.to.equal(before);
      expect((await client('remove', '--id', 'script')).stdout).to.equal('removed script\n');
      for (const args of [['remove'], ['rotate-secret']])
        expect((await client(...args, '--id', 'script')).code).to.equal(1);
    });

    it('adds a client for users with its redirect URIs, and explains invalid settings', async () => {
      const uri = ['--redirect-uri', 'https://portal.example.org/callback'];
      const added = await client(
        'add',
        '--id',
        'portal',
        '--public',
        ...uri,
        '--grant',
        'urn:taskwire:tasks=tasks:read,tasks:write',
      );
      expect(added.stdout).to.equal('added portal\n');
      const server = await client('add', '--id', 'server', '--secret', '--introspect', 'urn:taskwire:tasks');
      expect(server.code).to.equal(0);
      const { rows } = await database.db.pool.query<{ settings: object }>(
        'SELECT settings FROM clients ORDER BY client_id',
      );
      expect(rows[1]?.settings).to.deep.include({ introspects: ['urn:taskwire:tasks'] });
      expect(rows[0]?.settings).to.deep.include({ grant_types: ['authorization_code', 'refresh_token'] });
      const portalOf = (scopes: string) => ['--id', 'x', '--public', ...uri, '--grant', `urn:taskwire:${scopes}`];
      const faults: [string, string[]][] = [
        ['one of --secret, --jwks and --public', ['--id', 'x', ...uri]],
        ['must be https', ['--id', 'x', '--public', '--redirect-uri', 'http://portal.example.org/']],
        ['must be https', ['--id', 'x', '--public', '--redirect-uri', 'https://*.example.org/']],
        ['keys or a secret for client_credentials', ['--id', 'x', '--public', ...grant]],
        ['to introspect', ['--id', 'x', '--public', ...uri, '--introspect', 'urn:taskwire:tasks']],
        ['has no JSON Web Key Set', ['--id', 'x', '--jwks', '/nowhere', ...grant]],
        ['client_id', ['--secret', ...grant]],
        [
          '--grant urn:taskwire:tasks: "tasks:list" is not a scope that users can grant; known',
          [...portalOf('tasks=tasks:list')],
        ],
        ['--grant urn:taskwire:auth: "account" is now account:read and account:write', [...portalOf('auth=account')]],
        ['--grant urn:taskwire:auth: "users:read" is a service scope', [...portalOf('auth=users:read')]],
        [
          '--grant urn:taskwire:nothing: "urn:taskwire:nothing" is not an audience; known',
          [...portalOf('nothing=tasks:read')],
        ],
        [
          '--grant urn:taskwire:auth: "admin" is a user scope',
          ['--id', 'x', '--secret', '--grant', 'urn:taskwire:auth=admin'],
        ],
        [
          '--own-grant urn:taskwire:auth: "admin" is a user scope',
          ['--id', 'x', '--secret', ...uri, '--own-grant', 'urn:taskwire:auth=admin'],
        ],
        [
          '--introspect "urn:taskwire:x" is not an audience',
          ['--id', 'x', '--secret', '--introspect', 'urn:taskwire:x'],
        ],
      ];
      for (const [fault, args] of faults) {
        const refused = await client('add', ...args);
        expect(refused.code, fault).to.equal(2);
        expect(refused.stderr).to.contain(fault);
      }
    });
  });

  it("keeps and lists scopes granted by users apart from the client's own scopes", async () => {
    const client = async (...args: string[]) => await runHere(['client', ...args], { DATABASE_URL: database.url });
    const own = ['--own-grant', 'urn:taskwire:tasks=tasks:read', '--own-grant', 'urn:taskwire:auth=users:read'];
    const people = ['--redirect-uri', 'https://both.example.org/', '--grant', 'urn:taskwire:tasks=tasks:write'];
    const added = await client(
      'add',
      '--id',
      'both',
      '--secret',
      ...people,
      '--grant',
      'urn:taskwire:tasks=admin',
      ...own,
    );
    expect(added).to.include({ code: 0, stderr: '' });
    const { rows } = await database.db.pool.query<{ settings: object }>(
      "SELECT settings FROM clients WHERE client_id = 'both'",
    );
    expect(rows[0]?.settings).to.deep.include({
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      grants: [
        { audience: 'urn:taskwire:tasks', scopes: ['tasks:write', 'admin'], own_scopes: ['tasks:read'] },
        { audience: 'urn:taskwire:auth', scopes: [], own_scopes: ['users:read'] },
      ],
    });
    const listed = 'urn:taskwire:tasks=tasks:write,admin  own:urn:taskwire:tasks=tasks:read';
    expect((await client('list')).stdout)
      .to.contain(`both  secret  ${listed}`)
      .and.not.contain('not usable');
    await database.db.pool.query(
      `UPDATE clients SET settings = jsonb_set(settings, '{grants,0,scopes,0}', '"tasks"') WHERE client_id = 'both'`,
    );
    expect((await client('list')).stdout).to.contain(
      'not usable: grants.0.scopes.0: "tasks" is now tasks:read and tasks:write',
    );
    await client('remove', '--id', 'both');
  });

  it('rotates the signing keys one at a time', async () => {
    const url = { DATABASE_URL: database.url };
    const env = { ...url, KEY_ENCRYPTION_SECRET: Buffer.alloc(32, 7).toString('base64') };
    const keys = async (...args: string[]) => await runHere(['keys', ...args], env);
    expect((await keys('rotate')).stdout).to.equal('published the next key; it signs in 900 s\n');
    expect((await keys('rotate')).stdout).to.equal('another key is already waiting to sign\n');
    expect((await keys('list')).stdout).to.match(/^[\w-]{43} {2}signs in \d+ s\n$/);
    const without = await runHere(['keys', 'rotate'], url);
    expect(without.code).to.equal(1);
    expect(without.stderr).to.contain('KEY_ENCRYPTION_SECRET is not set');
  });

  it('explains a missing database and a missing migration', async () => {
    const args = ['user', 'add', ...ann];
    const without = await runHere(args, {}, 'taskwire-demo');
    expect(without.code).to.equal(1);
    expect(without.stderr).to.contain('DATABASE_URL is not set');
    const empty = await testDatabase([]);
    try {
      const unmigrated = await runHere(args, { DATABASE_URL: empty.url }, 'taskwire-demo');
      expect(unmigrated.code).to.equal(1);
      expect(unmigrated.stderr).to.contain('migrate');
      expect(unmigrated.stderr).not.to.contain(new URL(empty.url).password);
      const migrated = await run(migrateCommand, [], { url: empty.url });
      expect(migrated).to.include({ code: 0, stderr: '' });
      expect(migrated.stdout).to.contain('auth/0001_users');
      expect((await run(migrateCommand, [], { url: empty.url })).stdout).to.contain('nothing to migrate');
      // once as a process, which is how an operator starts it
      const added = await run(cli, args, { stdin: 'taskwire-demo', url: empty.url });
      expect(added).to.include({ code: 0, stderr: '' });
      expect(added.stdout).to.match(/^created admin /);
    } finally {
      await empty.drop();
    }
  });
});
