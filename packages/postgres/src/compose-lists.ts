import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import type { Entity } from './entity.ts';
import type { Database, Statement } from './handles.ts';
import { createList } from './list.ts';
import { query } from './query.ts';

/**
 * Returns the statements that `read` would run on a database that returns no rows, in the order of their execution, without any connection. Used for
 * committed snapshots of the SQL that lists run.
 */
export async function composeLists(
  entities: readonly Entity<object>[],
  read: (db: Pick<Database, 'query' | 'list'>) => Promise<unknown>,
): Promise<Statement[]> {
  const statements: Statement[] = [];
  const recorder = {
    async query(statement: Statement) {
      statements.push(statement);
      return await Promise.resolve({ rows: [] });
    },
  } as unknown as Pool;
  const orm = new UnconnectedDataSource({ type: 'postgres', entities: entities.map(({ schema }) => schema) });
  await orm.buildMetadatas();
  await read({
    query: async (statement, values) => await query(recorder, statement, values),
    list: (entity, alias) => createList({ orm, db: recorder }, entity, alias),
  });
  return statements;
}

/** A data source that composes statements without a connection; TypeORM's own reads the entities only once it is connected. */
class UnconnectedDataSource extends DataSource {
  override async buildMetadatas(): Promise<void> {
    await super.buildMetadatas();
  }
}
