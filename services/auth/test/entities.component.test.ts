import { defineEntity } from '@taskwire/postgres';
import { describeEntities, testDatabase, type TestDatabase } from '@taskwire/testing';
import { migrations } from '../src/migrations.ts';
import { entities } from '../src/postgres/entities.ts';

/** Disagrees with the table in every way: a column that doesn't exist, another type, another nullability, and columns left out. */
const canary = defineEntity<{ id: string; never: string; email: number }>({
  table: 'users',
  columns: {
    id: { type: 'uuid', nullable: true },
    never: { type: 'text' },
    email: { type: 'integer' },
  },
});

describe('the database schema', () => {
  let database: TestDatabase;
  before(async () => (database = await testDatabase(migrations)));
  after(async () => await database.drop());

  describeEntities(entities, { database: () => database.db, canary });
});
