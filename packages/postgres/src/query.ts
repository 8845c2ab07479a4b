import type { PoolClient, QueryConfig } from 'pg';
import type { Queryable, Statement, Tx } from './handles.ts';
import { inQuerySpan } from './query-span.ts';
import { asProblem } from './unavailable.ts';

/**
 * Runs a statement on any kind of handle, and returns its rows.
 * @throws Problem `unavailable` if the database is unavailable; otherwise pg's DatabaseError, with its SQLSTATE in `code`.
 */
export async function query<R extends object>(
  db: Queryable,
  statement: string | Statement,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const config: QueryConfig =
    typeof statement === 'string' ? { text: statement, values: [...values] } : toConfig(statement);
  const connection = isTransaction(db) ? clientOf(db) : db;
  try {
    const result = await inQuerySpan(config, () => connection.query<R>(config));
    return result.rows;
  } catch (error) {
    observers.get(db)?.(error);
    throw asProblem(error);
  }
}

/**
 * Returns the row of a statement that always returns one, such as an INSERT with RETURNING.
 * @throws if there is none, which is a bug in the statement.
 */
export function onlyRow<R>([row]: readonly R[]): R {
  if (row === undefined) throw new Error('the statement returned no row');
  return row;
}

const observers = new WeakMap<object, (error: unknown) => void>();

/** Registers `observe` to be called with each error of a statement on this handle. */
export function observeErrors(db: Queryable, observe: (error: unknown) => void): void {
  observers.set(db, observe);
}

function toConfig(statement: Statement): QueryConfig {
  return { ...statement, values: [...(statement.values ?? [])] };
}

const clients = new WeakMap<Tx, PoolClient>();

/** Sets the connection that a transaction runs on, until `unbindClient`. */
export function bindClient(tx: Tx, client: PoolClient): void {
  clients.set(tx, client);
}

export function unbindClient(tx: Tx): void {
  clients.delete(tx);
}

function isTransaction(db: Queryable): db is Tx {
  return 'afterCommit' in db;
}

function clientOf(tx: Tx): PoolClient {
  const client = clients.get(tx);
  if (client === undefined)
    throw new Error('The transaction has ended: a statement came after its commit or rollback.');
  return client;
}
