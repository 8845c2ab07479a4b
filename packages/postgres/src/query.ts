import type { Pool, PoolClient, QueryConfig } from 'pg';
import type { Database } from './database.ts';
import { asProblem } from './unavailable.ts';

/** A transaction of `Database.transaction`. Statements run one after the other. It cannot be used after the transaction has ended. */
export type Tx = {
  /** The database of the transaction. */
  readonly database: Database;
  /** Runs `query` in this transaction. */
  query<R extends object>(statement: string | Statement, values?: readonly unknown[]): Promise<R[]>;
  /**
   * Runs `work` immediately before COMMIT, once even if it is registered several times: for effects that many parts of a transaction cause and one
   * write completes. If it rejects, the transaction rolls back.
   */
  beforeCommit(work: LastWork): void;
  /**
   * Runs `hint` after COMMIT, once even if it is registered several times; also if the response to COMMIT was lost, but never after a rollback. A
   * hint is lost if the process ends, so something else (a poll) must guarantee the effect. Its errors are logged.
   */
  afterCommit(hint: () => void): void;
};

/** The last work of a transaction. It is deduplicated by identity, so create it once, not for each transaction. */
export type LastWork = {
  /** Works run in ascending order. Each work that locks rows has its own number, so that all transactions lock in the same order. */
  order: number;
  run(tx: Tx): Promise<void>;
};

/** Any handle that runs SQL: the pool (each statement on its own), a client of the pool, or a transaction. */
export type Queryable = Pool | PoolClient | Tx;

/** A statement. With a `name` it is prepared once per connection, for hot paths. */
export type Statement = { text: string; values?: readonly unknown[]; name?: string };

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
    const result = await connection.query<R>(config);
    return result.rows;
  } catch (error) {
    observers.get(db)?.(error);
    throw asProblem(error);
  }
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
