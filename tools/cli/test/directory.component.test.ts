import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { userDirectoryMigrations } from '@taskwire/user-directory';
import { newClientKey } from '../../../infra/local/service-clients.ts';
import { runTaskwire } from './run-taskwire.ts';

const pageSize = 100;

describe('taskwire directory', () => {
  let database: TestDatabase;
  let auth: Server;
  const users = Array.from({ length: 250 }, (_, n) => ({
    id: `019aa1b2-0000-7000-8000-${String(n).padStart(12, '0')}`,
    email: `u${n}@taskwire.test`,
    name: `U${n}`,
    role: 'member',
    email_verified: true,
    version: 1,
    is_deleted: false,
    tokens_valid_after: null,
    created_at: '2026-01-01T00:00:00.000000Z',
    updated_at: '2026-01-01T00:00:00.000000Z',
  }));

  before(async () => {
    database = await testDatabase([userDirectoryMigrations]);
    auth = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://auth.test');
      const from = Number(searchParams.get('cursor') ?? 0);
      const next = from + pageSize;
      const body =
        pathname === '/oidc/token'
          ? { access_token: 'opaque', token_type: 'Bearer', expires_in: 600, scope: 'users:read' }
          : { data: users.slice(from, next), next_cursor: next < users.length ? String(next) : null };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => auth.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    auth.closeAllConnections();
    auth.close();
    await database.drop();
  });

  const directory = async (args: string[], env: Record<string, string> = {}) =>
    await runTaskwire(['directory', ...args], {
      NOTIFICATIONS_DATABASE_URL: database.url,
      AUTH_INTERNAL_URL: `http://127.0.0.1:${(auth.address() as AddressInfo).port}`,
      ISSUER: 'http://localhost:8080/oidc',
      CLIENT_PRIVATE_KEY: newClientKey(),
      ...env,
    });

  it('fills an empty directory, and repairs a damaged row when it runs again', async () => {
    const first = await directory(['rebuild', 'notifications']);
    expect(first.stderr).to.equal('');
    expect(first.code).to.equal(0);
    expect(first.stdout).to.match(/^Read 250 users from Auth in \d+\.\d s: 250 were missing or different\.$/m);
    await query(database.db.pool, `UPDATE directory_users SET name = 'Eve' WHERE id = $1`, [users[7]!.id]);
    const second = await directory(['rebuild', 'notifications']);
    expect(second.stdout).to.match(/: 1 were missing or different/);
    const names = await query<{ name: string }>(database.db.pool, 'SELECT name FROM directory_users ORDER BY id');
    expect(names.map(({ name }) => name)).to.deep.equal(users.map(({ name }) => name));
  });

  it('names a wrong argument or variable, and the remedy', async () => {
    for (const [args, message] of [
      [['refill', 'tasks'], /unknown command 'refill'(\n.*)?\nCommands: rebuild/],
      [['rebuild'], /missing required argument 'service'/],
      [['rebuild', 'auth'], /'auth' is invalid for argument 'service'. Allowed choices are tasks, notifications/],
      [['rebuild', 'tasks', 'now'], /too many arguments for 'rebuild'/],
      [['rebuild', 'tasks', '--fast'], /unknown option '--fast'/],
    ] as const) {
      const { code, stdout, stderr } = await directory([...args]);
      expect([code, stdout], args.join(' ')).to.deep.equal([2, '']);
      expect(stderr)
        .to.match(message)
        .and.to.match(/^Help: npm run taskwire -- directory.* --help$/m);
    }
    const { code, stderr } = await directory(['rebuild', 'notifications'], { CLIENT_PRIVATE_KEY: '' });
    expect(code).to.equal(1);
    expect(stderr).to.include('CLIENT_PRIVATE_KEY');
  });
});
