import type { Pool, PoolClient, QueryConfig } from 'pg';
import { EntityManager } from 'typeorm';
import { asProblem } from './unavailable.ts';

/** A transaction of `Database.transaction`. */
export type Tx = EntityManager;

/** Anything that runs SQL: the pool (each statement on its own), a client of it, or a transaction. */
export type Queryable = Pool | PoolClient | Tx;

/** A statement; with a `name` it is prepared once for each connection, for hot paths. */
export type Statement = { text: string; values?: readonly unknown[]; name?: string };

/**
 * Runs a statement and gives its rows, whatever kind of handle it runs on. (TypeORM's own `query` gives rows for some commands and
 * `[rows, count]` for others, and cannot prepare; this goes to the pg client underneath.)
 * @throws Problem `unavailable` when the database cannot work now; else pg's DatabaseError, with its SQLSTATE in `code`.
 */
export async function query<R extends object>(
  db: Queryable,
  statement: string | Statement,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const config: QueryConfig =
    typeof statement === 'string' ? { text: statement, values: [...values] } : toConfig(statement);
  try {
    const client = db instanceof EntityManager ? await clientOf(db) : db;
    const result = await client.query<R>(config);
    return result.rows;
  } catch (error) {
    observers.get(db)?.(error);
    throw asProblem(error);
  }
}

const observers = new WeakMap<object, (error: unknown) => void>();

/** Has `observe` called with each error that a statement on this handle meets. */
export function observeErrors(db: Queryable, observe: (error: unknown) => void): void {
  observers.set(db, observe);
}

function toConfig(statement: Statement): QueryConfig {
  return { ...statement, values: [...(statement.values ?? [])] };
}

async function clientOf(tx: EntityManager): Promise<PoolClient> {
  if (tx.queryRunner === undefined)
    throw new Error('query() needs a transaction or the pool, not a bare EntityManager');
  const client: PoolClient = await tx.queryRunner.connect();
  return client;
}
