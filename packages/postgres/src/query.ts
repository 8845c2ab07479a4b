import type { Pool, PoolClient, QueryConfig } from 'pg';
import type { Database } from './database.ts';
import { asProblem } from './unavailable.ts';

/** A transaction of `Database.transaction`. Statements run one after the other; it is of no use once the transaction has ended. */
export type Tx = {
  /** The database that the transaction belongs to. */
  readonly database: Database;
  /** `query` on this transaction. */
  query<R extends object>(statement: string | Statement, values?: readonly unknown[]): Promise<R[]>;
  /**
   * Runs `work` directly before COMMIT, once however often it is registered: for what many parts of a transaction cause and one write settles.
   * When it rejects, the transaction rolls back.
   */
  beforeCommit(work: LastWork): void;
  /**
   * Runs `hint` after COMMIT, once however often it is registered; also when the answer to COMMIT was lost, never after a rollback. It is a
   * hint: it is lost with the process, so something else (a poll) must guarantee the effect. Its errors are logged.
   */
  afterCommit(hint: () => void): void;
};

/** What a transaction writes last. Its identity is what "once" means, so it is made once, not for each transaction. */
export type LastWork = {
  /** Works run in ascending order. Each work that locks rows has a number of its own, so that all transactions lock in the same order. */
  order: number;
  run(tx: Tx): Promise<void>;
};

/** Anything that runs SQL: the pool (each statement on its own), a client of it, or a transaction. */
export type Queryable = Pool | PoolClient | Tx;

/** A statement; with a `name` it is prepared once for each connection, for hot paths. */
export type Statement = { text: string; values?: readonly unknown[]; name?: string };

/**
 * Runs a statement and returns its rows, whatever kind of handle it runs on.
 * @throws Problem `unavailable` when the database cannot work now; else pg's DatabaseError, with its SQLSTATE in `code`.
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

/** Has `observe` called with each error that a statement on this handle meets. */
export function observeErrors(db: Queryable, observe: (error: unknown) => void): void {
  observers.set(db, observe);
}

function toConfig(statement: Statement): QueryConfig {
  return { ...statement, values: [...(statement.values ?? [])] };
}

const clients = new WeakMap<Tx, PoolClient>();

/** Says which connection a transaction runs on, until `unbindClient`. */
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
