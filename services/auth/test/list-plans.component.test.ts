import { expect } from 'chai';
import { recordStatements, tablesScanned, testDatabase, type TestDatabase } from '@taskwire/testing';
import { migrations } from '../src/migrations.ts';
import { listAudit } from '../src/postgres/audit-rows.ts';
import { entities } from '../src/postgres/entities.ts';
import { listChangedUsers, listUsers } from '../src/postgres/user-lists.ts';

const id = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';
const at = '2026-11-28T12:00:00.000000Z';

describe('plans of the lists of 10,000 users and 20,000 audit entries', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase(migrations, { entities });
    const { db } = database;
    // in steps that finish within the statement timeout on a busy machine
    for (let start = 0; start < 10_000; start += 2_500) {
      await db.query(insertUsers, [start]);
      for (let entries = 0; entries < 2; entries++) await db.query(insertEntries, [start]);
    }
    await db.query('VACUUM ANALYZE users, audit_log');
  });
  after(async () => await database.drop());

  const first = { after: undefined, limit: 50 };
  const byId = { after: [id], limit: 50 };
  const byTime = { after: [at, id], limit: 50 };
  const active = { isDeleted: false, order: 'latest_first', restoreDays: 7 } as const;
  const lists: Record<string, () => Promise<unknown>> = {
    'users, latest first': async () => await listUsers(database.db, active, first),
    'users, oldest first, a later page': async () =>
      await listUsers(database.db, { ...active, order: 'oldest_first' }, byId),
    'users of a role': async () => await listUsers(database.db, { ...active, role: 'member' }, byId),
    'users by part of an address': async () => await listUsers(database.db, { ...active, text: 'ser4711@' }, first),
    'changed users': async () => await listChangedUsers(database.db, { since: at }, byTime),
    'the audit log': async () => await listAudit(database.db, {}, first),
    'the audit log, a later page': async () => await listAudit(database.db, {}, byTime),
    'the audit log of a user': async () => await listAudit(database.db, { actor: 'user 7' }, byTime),
  };
  for (const [name, read] of Object.entries(lists)) {
    it(`scan no table: ${name}`, async () => {
      const log = recordStatements(database.db.pool);
      await read();
      for (const statement of log.statements()) {
        if (/FROM "(users|audit_log)"/.test(statement.text))
          expect(await tablesScanned(database.db.pool, statement), statement.text).to.deep.equal([]);
      }
      expect(log.statements().some(({ text }) => /FROM "(users|audit_log)"/.test(text))).to.equal(true);
    });
  }
});

const insertUsers = `
  INSERT INTO users (id, email, name, role, email_verified, password_hash, created_at, updated_at)
  SELECT uuidv7(), 'user' || n || '@example.org', 'User', 'member', true, 'none', now(), now() + n * interval '1 ms'
  FROM generate_series($1::int + 1, $1::int + 2500) n`;

const insertEntries = `
  INSERT INTO audit_log (at, actor_kind, actor_id, action, outcome)
  SELECT now() + n * interval '1 ms', 'user', 'user ' || n % 1000, 'login', 'success'
  FROM generate_series($1::int + 1, $1::int + 2500) n`;
