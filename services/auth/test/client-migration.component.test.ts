import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { migrate, type MigrationSource } from '@taskwire/postgres';
import { scopeFaults } from '@taskwire/contracts';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { expect } from 'chai';
import type { RegisteredClient } from '../src/app/ports/clients.ts';
import { migrations } from '../src/migrations.ts';

/** The migrations before the one that renames scopes, copied to a separate folder. */
async function migrationsBefore(folder: string): Promise<MigrationSource[]> {
  const own = migrations.find(({ name }) => name === 'auth');
  if (own === undefined) throw new Error('there are no migrations of auth');
  const files = (await readdir(own.directory)).sort();
  const earlier = files.slice(
    0,
    files.findIndex((file) => file.endsWith('_client_scopes.sql')),
  );
  for (const file of earlier) await copyFile(new URL(file, own.directory), join(folder, file));
  return migrations.map((source) => (source === own ? { ...own, directory: pathToFileURL(`${folder}/`) } : source));
}

describe('the migration to scopes that separate reading from writing', () => {
  let database: TestDatabase;
  let folder: string;
  const user = '019aa1b2-0000-7000-8000-000000000001';
  const grant = (number: number) => `019aa1b2-0000-7000-8000-00000000001${number}`;
  const people = ['authorization_code', 'refresh_token'];
  const itself = ['client_credentials'];

  const given: [string, string[], object[]][] = [
    [
      'portal',
      people,
      [
        { audience: 'urn:taskwire:auth', scopes: ['account'] },
        { audience: 'urn:taskwire:tasks', scopes: ['tasks:read', 'tasks'] },
        { audience: 'urn:taskwire:notifications', scopes: ['notifications'] },
      ],
    ],
    ['reporter', itself, [{ audience: 'urn:taskwire:auth', scopes: ['users:read', 'account'] }]],
    [
      'both',
      [...people, ...itself],
      [
        { audience: 'urn:taskwire:auth', scopes: ['account', 'users:read'] },
        { audience: 'urn:taskwire:tasks', scopes: ['tasks:read'] },
      ],
    ],
    ['bare', itself, []],
    ['curious', people, [{ audience: 'urn:taskwire:auth', scopes: ['users:read'] }]],
  ];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'taskwire-migrations-'));
    database = await testDatabase(await migrationsBefore(folder));
    const { pool } = database.db;
    for (const [client_id, grant_types, grants] of given) {
      await pool.query('INSERT INTO clients (client_id, settings) VALUES ($1, $2)', [
        client_id,
        { client_id, grant_types, grants },
      ]);
    }
    await pool.query(
      `INSERT INTO users (id, email, name, role, email_verified, password_hash, created_at, updated_at)
       VALUES ($1, 'ann@example.org', 'Ann', 'member', true, 'x', now(), now())`,
      [user],
    );
    const allowed = [
      { resources: { 'urn:taskwire:auth': 'account' } },
      { resources: { 'urn:taskwire:tasks': 'tasks:read tasks' } },
      { resources: { 'urn:taskwire:tasks': 'tasks:read' } },
      { openid: { scope: 'openid email' } },
    ];
    for (const [number, payload] of allowed.entries()) {
      await pool.query(
        `INSERT INTO sessions (id, user_id, client_id, payload, created_at, expires_at)
         VALUES ($1, $2, 'portal', $3, now(), now() + interval '1 day')`,
        [grant(number), user, payload],
      );
    }
    await pool.query(
      `INSERT INTO artifacts (kind, hash, payload, user_id, authenticated_at, uid, expires_at)
       VALUES ('Session', 'x', '{}', $1, now(), 'a browser', now() + interval '1 day')`,
      [user],
    );
    await migrate(database.url, migrations);
  });
  after(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });

  async function settingsOf(id: string): Promise<RegisteredClient> {
    const { rows } = await database.db.pool.query<{ settings: RegisteredClient }>(
      'SELECT settings FROM clients WHERE client_id = $1',
      [id],
    );
    if (rows[0] === undefined) throw new Error(`no client ${id} was added`);
    return rows[0].settings;
  }

  it('gives clients for users the finer scopes', async () => {
    expect((await settingsOf('portal')).grants).to.deep.equal([
      { audience: 'urn:taskwire:auth', scopes: ['account:read', 'account:write'] },
      { audience: 'urn:taskwire:tasks', scopes: ['tasks:read', 'tasks:write'] },
      { audience: 'urn:taskwire:notifications', scopes: ['notifications:read', 'notifications:write'] },
    ]);
  });

  it('removes scopes of users, which never had an effect, from clients that act for themselves', async () => {
    expect((await settingsOf('reporter')).grants).to.deep.equal([
      { audience: 'urn:taskwire:auth', scopes: ['users:read'] },
    ]);
    expect((await settingsOf('bare')).grants).to.deep.equal([]);
  });

  it('keeps the scopes of a client that serves users and acts for itself, each in its own list', async () => {
    expect((await settingsOf('both')).grants).to.deep.equal([
      { audience: 'urn:taskwire:auth', scopes: ['account:read', 'account:write'], own_scopes: ['users:read'] },
      { audience: 'urn:taskwire:tasks', scopes: ['tasks:read'], own_scopes: ['tasks:read'] },
    ]);
  });

  it('leaves no client with a fault, except those with scopes that users could never grant', async () => {
    for (const [id] of given) {
      expect(
        scopeFaults(await settingsOf(id)).map(({ path }) => path.join('.')),
        id,
      ).to.deep.equal(id === 'curious' ? ['grants.0.scopes.0'] : []);
    }
  });

  it('ends consents to the old scope names, so that users are asked again, and nothing else', async () => {
    const { rows } = await database.db.pool.query<{ id: string; end_reason: string | null }>(
      'SELECT id, end_reason FROM sessions ORDER BY id',
    );
    expect(rows.map(({ end_reason: reason }) => reason)).to.deep.equal(['revoked', 'revoked', null, null]);
  });

  it('keeps existing browser log-ins visible', async () => {
    const { rows } = await database.db.pool.query('SELECT uid, user_id, ip FROM browser_logins');
    expect(rows).to.deep.equal([{ uid: 'a browser', user_id: user, ip: null }]);
  });
});
