import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { programEnv, testDatabase } from '@taskwire/testing';
import { inboxMigrations } from '@taskwire/inbox';
import { emptyFolder, runTaskwire } from './run-taskwire.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));

describe('npm run taskwire', () => {
  it('has a help page for every command, on standard output', async () => {
    for (const [args, words] of [
      [[], ['auth', 'dead-letters', 'directory', 'TASKS_DATABASE_URL', 'Exit codes']],
      [['auth'], ['npm run taskwire -- auth', 'user add --email', 'keys rotate']],
      [
        ['auth', 'user', 'add'],
        ['npm run taskwire -- auth', 'user add --email'],
      ],
      [['dead-letters'], ['list', 'waiting', 'show', 'replay', 'drop']],
      [
        ['dead-letters', 'list'],
        ['--state', '"dead", "replayed", "dropped", "any"', '--message-id', '--limit'],
      ],
      [
        ['dead-letters', 'waiting'],
        ['--key', '--cursor'],
      ],
      [
        ['dead-letters', 'show'],
        ['<service>', '"tasks", "notifications"', '--json'],
      ],
      [
        ['dead-letters', 'replay'],
        ['--because', '--all', 'os:<login>@<host>'],
      ],
      [
        ['dead-letters', 'drop'],
        ['--because', '--all', 'os:<login>@<host>'],
      ],
      [['directory'], ['rebuild']],
      [['partitions'], ['EVENT_PARTITIONS', '--timeout', 'AMQP_URL']],
      [
        ['directory', 'rebuild'],
        ['AUTH_INTERNAL_URL', 'CLIENT_PRIVATE_KEY'],
      ],
      [['restored'], ['--promoted', '--raise', 'KEY_ENCRYPTION_SECRET', 'docs/runbooks/restore.md']],
    ] as const) {
      const { code, stdout, stderr } = await runTaskwire([...args, '--help']);
      expect([code, stderr], args.join(' ')).to.deep.equal([0, '']);
      for (const word of words) expect(stdout.replaceAll(/\s+/g, ' '), args.join(' ')).to.include(word);
    }
  });

  it('shows the commands with exit code 2 when none or an unknown one is given', async () => {
    const none = await runTaskwire([]);
    expect([none.code, none.stdout]).to.deep.equal([2, '']);
    expect(none.stderr).to.include('dead-letters');
    const unknown = await runTaskwire(['dlq']);
    expect([unknown.code, unknown.stdout]).to.deep.equal([2, '']);
    expect(unknown.stderr).to.match(
      /unknown command 'dlq'\nCommands: auth, dead-letters, directory, restored, partitions\nUsage: /,
    );
  });

  it("passes Auth's commands on, with their options and exit codes", async () => {
    const database = await testDatabase([]);
    try {
      const auth = async (...args: string[]) => await runTaskwire(['auth', ...args], { DATABASE_URL: database.url });
      const notMigrated = await auth('client', 'list');
      expect([notMigrated.code, notMigrated.stdout]).to.deep.equal([1, '']);
      expect(notMigrated.stderr).to.include('migrate');
      const wrong = await auth('client', 'list', '--fast');
      expect([wrong.code, wrong.stdout]).to.deep.equal([2, '']);
      expect(wrong.stderr).to.include("'--fast'").and.to.include('Usage: npm run taskwire -- auth');
    } finally {
      await database.drop();
    }
  });

  it('runs as a program, with the exit code of its command', async () => {
    const database = await testDatabase([inboxMigrations]);
    try {
      const env = { ...programEnv(), TASKWIRE_LOCAL_DIR: emptyFolder, TASKS_DATABASE_URL: database.url };
      const run = async (...args: string[]) => await promisify(execFile)(process.execPath, [main, ...args], { env });
      expect(await run('dead-letters', 'list', 'tasks')).to.deep.equal({ stdout: 'No messages found.\n', stderr: '' });
      const fault: unknown = await run('dead-letters', 'list').catch((error: unknown) => error);
      expect(fault).to.include({ code: 2 });
    } finally {
      await database.drop();
    }
  });
});
