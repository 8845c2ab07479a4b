import { expect } from 'chai';
import { inboxMigrations } from '@taskwire/inbox';
import { recordStatements, tablesScanned, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createDeadLetters, deadLetterEntity } from '../src/index.ts';

describe('plans of the search over 10,000 dead letters', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase([inboxMigrations], { entities: [deadLetterEntity] });
    const { db } = database;
    await db.query(`
      INSERT INTO dead_letters (message_id, type, reason, error, attempts, errors, aggregate_id, headers, payload, received_at, dead_at)
      SELECT gen_random_uuid(), 'tasks.task.changed', 'bad_schema', 'an error', 1, '[]', gen_random_uuid(), '{}', '', now(),
        now() - n * interval '1 ms'
      FROM generate_series(1, 10000) n`);
    await db.query('VACUUM ANALYZE dead_letters');
  });
  after(async () => await database.drop());

  const searches = {
    'without a filter': {},
    'by key': { key: '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e' },
    'by message': { message_id: '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e' },
  };
  for (const [name, filter] of Object.entries(searches)) {
    it(`scan no table: ${name}`, async () => {
      const { search } = createDeadLetters({ db: database.db });
      const log = recordStatements(database.db.pool);
      const first = await search({ state: 'dead', limit: 50, ...filter });
      if (first.next_cursor !== null) await search({ state: 'dead', limit: 50, ...filter, cursor: first.next_cursor });
      const ran = log.statements();
      expect(ran).to.have.length(name === 'without a filter' ? 2 : 1);
      for (const statement of ran)
        expect(await tablesScanned(database.db.pool, statement), statement.text).to.deep.equal([]);
    });
  }
});
