import type { Pool, PoolClient } from 'pg';
import type { Entity } from './entity.ts';
import type { Keyset, Page, Place } from './keyset.ts';
import type { SourceEpoch } from './source-epoch.ts';

/** One service's database. */
export type Database = {
  url: string;
  pool: Pool;
  /** Runs `query` on the pool, where the statement is its own transaction. */
  query<R extends object>(statement: string | Statement, values?: readonly unknown[]): Promise<R[]>;
  /** Returns a list of an entity's rows, read on the pool. `alias` names the entity's columns in conditions. */
  list<R extends object>(entity: Entity<R>, alias: string): List<R>;
  /**
   * Runs `work` in one READ COMMITTED transaction, committed if it resolves and rolled back if it rejects. `work` must not make network calls.
   * @throws Problem `unavailable` if the database is unavailable.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Runs one statement as its own transaction, and then `afterCommit`, under the same rules as a hint of `Tx.afterCommit`. @throws the same errors as
   * `query`.
   */
  run<R extends object>(statement: Statement, afterCommit: () => void): Promise<R[]>;
  /** Resolves if a test write succeeds. @throws the reason why the database does not accept writes. */
  checkWritable(): Promise<void>;
  /** The readiness check of a service: `checkWritable`, and a clock that agrees with the database's. @throws the error of either check. */
  checkReady(): Promise<{ warning: string } | undefined>;
  /** The epoch of the database when the newest connection was opened. */
  sourceEpoch(): SourceEpoch;
  close(): Promise<void>;
};

/** A transaction of `Database.transaction`. Statements run one after the other. It cannot be used after the transaction has ended. */
export type Tx = {
  /** The database of the transaction. */
  readonly database: Database;
  /** Runs `query` in this transaction. */
  query<R extends object>(statement: string | Statement, values?: readonly unknown[]): Promise<R[]>;
  /** Returns a list of an entity's rows, read in this transaction. `alias` names the entity's columns in conditions. */
  list<R extends object>(entity: Entity<R>, alias: string): List<R>;
  /**
   * Runs `work` immediately before COMMIT, and only once even if it is registered several times. Used when many parts of a transaction require the
   * same write. If it rejects, the transaction rolls back.
   */
  beforeCommit(work: LastWork): void;
  /**
   * Runs `hint` after COMMIT, and only once even if it is registered several times. It also runs if the response to COMMIT was lost, but never after
   * a rollback. A hint is lost if the process ends, so a poll must guarantee its effect. Its errors are logged.
   */
  afterCommit(hint: () => void): void;
};

/** The last work of a transaction. It is deduplicated by identity, so create it once, not for each transaction. */
export type LastWork = {
  /**
   * Units of work run in ascending order. Each unit that locks rows has its own number, so that all transactions take these locks in the same order.
   */
  order: number;
  run(tx: Tx): Promise<void>;
};

/** Any handle that runs SQL: the pool (each statement is its own transaction), a client of the pool, or a transaction. */
export type Queryable = Pool | PoolClient | Tx;

/** A statement. If it has a `name`, it is prepared once per connection; used for hot paths. */
export type Statement = { text: string; values?: readonly unknown[]; name?: string };

export type TransactionOptions = {
  /**
   * How long each statement waits for one lock, in milliseconds, before it fails with SQLSTATE 55P03. By default, the statement timeout is the limit.
   */
  lockTimeoutMs?: number | undefined;
  /** The time limit of each statement, in milliseconds, instead of that of the pool. A statement that exceeds it fails with SQLSTATE 57014. */
  statementTimeoutMs?: number | undefined;
};

/** A list of an entity's rows. Conditions and expressions name columns as `alias.property`, and values as `:name`. */
export type List<R extends object> = {
  /** Restricts the rows to these columns. */
  only<K extends keyof R & string>(...names: readonly K[]): List<Pick<R, K>>;
  /** Adds a value to each row. */
  select<N extends string, V>(name: N, expression: string, values?: Values): List<R & Record<N, V>>;
  /** Adds a condition, unless one of its values is undefined, which means that the caller omitted this filter. */
  where(condition: string, values?: Values): List<R>;
  /**
   * Prepares the statement under this name, followed by a hash of its text. Used for lists that are read often and have few combinations of filters.
   * The name includes the hash because each combination of filters needs its own plan.
   */
  prepared(name: string): List<R>;
  /** @throws as `query` does. */
  page(order: Keyset, place: Place): Promise<Page<R>>;
  /** Reads the first rows, which do not continue from a position. @throws the same errors as `query`. */
  first(order: Keyset, limit: number): Promise<R[]>;
};

/** The values of a condition or expression, by name. */
export type Values = Readonly<Record<string, unknown>>;
