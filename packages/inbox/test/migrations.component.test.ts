import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { inboxMigrations } from '@taskwire/inbox';
import { migrate, query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';

describe('migration of an inbox with pending messages', () => {
  let folder: string;
  let database: TestDatabase;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'taskwire-inbox-migrations-'));
    database = await testDatabase([]);
  });
  afterEach(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });

  it('gives a lease its own expiry, and keeps every value of the renamed columns', async () => {
    const { pool } = database.db;
    for (const file of ['0001_inbox.sql', '0002_dead_letters.sql'])
      await cp(fileURLToPath(new URL(file, inboxMigrations.directory)), join(folder, file));
    await migrate(database.url, [{ name: 'inbox', directory: pathToFileURL(`${folder}/`) }]);
    await query(
      pool,
      `INSERT INTO inbox_retries (
         message_id, handler, type, state, attempts, crashes, lease, next_attempt_at, uncounted, tried_since, headers, payload)
       VALUES
         (uuidv7(), 'leased', 't', 'retry', 3, 1, uuidv7(), '2036-01-01T08:00:00Z', 2, '2035-12-31T00:00:00Z', '{}', ''),
         (uuidv7(), 'due', 't', 'retry', 1, 0, NULL, '2036-01-01T09:00:00Z', 0, '2035-12-31T00:00:00Z', '{}', ''),
         (uuidv7(), 'waiting', 't', 'waiting', 0, 0, NULL, NULL, 0, '2035-12-31T00:00:00Z', '{}', '')`,
    );
    await query(
      pool,
      `INSERT INTO dead_letters (
         message_id, reason, error, attempts, errors, headers, payload, received_at, state, settled_at, settled_by, settled_reason, unrouted)
       VALUES ('a', 'refused', 'no', 1, '[]', '{}', '', now(), 'replayed', '2036-01-01T08:00:00Z', 'os:olga@desk', 'fixed', true)`,
    );

    await migrate(database.url, [inboxMigrations]);
    const pending = await query<Record<string, unknown>>(pool, 'SELECT * FROM inbox_pending ORDER BY seq');
    expect(
      pending.map((row) => [row['handler'], row['lease_id'] !== null, row['lease_expires_at'], row['crash_count']]),
    ).to.deep.equal([
      ['leased', true, new Date('2036-01-01T08:00:00Z'), 1],
      ['due', false, null, 0],
      ['waiting', false, null, 0],
    ]);
    expect(pending[0]).to.deep.include({
      attempts: 3,
      free_attempts: 2,
      pending_since: new Date('2035-12-31T00:00:00Z'),
    });
    expect(pending[1]).to.deep.include({ next_attempt_at: new Date('2036-01-01T09:00:00Z') });
    const [letter] = await query(pool, 'SELECT * FROM dead_letters');
    expect(letter).to.deep.include({
      resolved_at: new Date('2036-01-01T08:00:00Z'),
      resolved_by: 'os:olga@desk',
      resolved_reason: 'fixed',
      needs_routing: true,
    });
  });
});
