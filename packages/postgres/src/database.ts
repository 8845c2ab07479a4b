import { Gauge } from 'prom-client';
import type { ClientBase, Pool } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import type { Telemetry } from '@taskwire/telemetry';
import { createClockCheck } from './clock.ts';
import type { Entity } from './entity.ts';
import type { Database, Statement } from './handles.ts';
import { createList } from './list.ts';
import { isSharedBetweenTransactions } from './pooler.ts';
import { observeErrors, query } from './query.ts';
import { sessionName } from './release.ts';
import { pinSession } from './session.ts';
import { observeServer } from './server-metrics.ts';
import { createEpochOfPool } from './source-epoch.ts';
import { sqlStateOf } from './sql.ts';
import { runHint, runTransaction } from './transaction.ts';
import { asProblem } from './unavailable.ts';
import { closeUnresponsiveConnections } from './unresponsive-connections.ts';
import { createWritability } from './writable.ts';

export type DatabaseOptions = {
  url: string;
  /** The maximum number of connections of this process. */
  poolSize: number;
  /** The name shown in `pg_stat_activity`, where the release follows it. */
  applicationName: string;
  /** The entities of `list`. */
  entities?: readonly Entity<object>[];
  telemetry: Telemetry;
};

/** How long a request may wait for a connection. A longer queue would only delay every response. */
const connectionTimeoutMs = 5_000;
const timeLimits = {
  // no statement of a service should run longer than this; a statement that does is faulty, and must not hold its locks forever
  statement_timeout: '5s',
  // an idle transaction has lost its owner (a bug, or a frozen process); its locks are released after this
  idle_in_transaction_session_timeout: '10s',
};
/** A server that has not responded within this time, not even with a statement timeout, is considered unreachable. */
const responseTimeoutMs = 6_000;

/**
 * Opens the pool. Resolves when the first connection is open. Rejects if the database cannot be reached, or if the settings of a session cannot be
 * pinned. Connections that are lost later are replaced. Behind a pooler that shares connections between transactions, the database is not writable
 * (`checkWritable`): locks, LISTEN and session settings would be lost. Also rejects behind a pooler with too few connections for this check.
 */
export async function createDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, telemetry } = options;
  const unresponsive = closeUnresponsiveConnections(responseTimeoutMs, telemetry.logger);
  const sourceEpoch = createEpochOfPool(telemetry);
  let proxied = false;
  const orm = new DataSource({
    type: 'postgres',
    url,
    entities: (options.entities ?? []).map(({ schema }) => schema),
    applicationName: sessionName(options.applicationName),
    poolSize: options.poolSize,
    connectTimeoutMS: connectionTimeoutMs,
    // a broken idle connection (the server restarts) is an event of the pool, not of a query; the pool replaces it
    poolErrorHandler: (error: unknown) => telemetry.logger.warn('a database connection broke', { error }),
    extra: {
      keepAlive: true,
      async onConnect(client: ClientBase) {
        outliveErrors(client);
        unresponsive.watch(client);
        const session = await pinSession(client, timeLimits);
        if (session.isProxied) proxied = true;
        await sourceEpoch.read(client);
      },
    },
    logging: false,
    synchronize: false,
  });
  await orm.initialize();
  const pool: Pool = (orm.driver as PostgresDriver).master;
  observePool(pool, telemetry);
  const isShared =
    proxied &&
    (await isSharedBetweenTransactions(url).catch(async (error: unknown) => {
      unresponsive.stop();
      await orm.destroy();
      throw error;
    }));
  if (isShared) telemetry.logger.error(sharedConnections);
  const writability = createWritability(pool, () => (isShared ? sharedConnections : undefined));
  observeErrors(pool, writability.note);
  observeServer(pool, telemetry, writability.check);
  const checkClock = createClockCheck(pool, telemetry);
  const { logger } = telemetry;
  const database: Database = {
    url,
    pool,
    query: async (statement, values) => await query(pool, statement, values),
    list: (entity, alias) => createList({ orm, db: pool }, entity, alias),
    async transaction(work, transactionOptions = {}) {
      try {
        return await runTransaction({ pool, orm, logger, database }, work, transactionOptions);
      } catch (error) {
        writability.note(error);
        throw asProblem(error);
      }
    },
    async run<R extends object>(statement: Statement, afterCommit: () => void) {
      let mayBeCommitted = true;
      try {
        return await query<R>(pool, statement);
      } catch (error) {
        mayBeCommitted = sqlStateOf(error) === undefined;
        throw error;
      } finally {
        if (mayBeCommitted) runHint(afterCommit, logger);
      }
    },
    checkWritable: writability.check,
    async checkReady() {
      await writability.check();
      return await checkClock();
    },
    sourceEpoch: sourceEpoch.current,
    close: async () => {
      unresponsive.stop();
      if (orm.isInitialized) await orm.destroy();
    },
  };
  return database;
}

const sharedConnections =
  'DATABASE_URL leads through a pooler that shares connections between transactions; use its session mode, or the server itself';

/**
 * Prevents connection errors from ending the process. The pool listens for errors of idle connections. TypeORM listens for errors of its own
 * connections, but only from the microtask after it received them. A server that shuts down may announce the shutdown in the same packet as its last
 * response. A connection handed over with that response then breaks in between, and an error without a listener ends the process. The holder of the
 * connection gets the error from its next query, and the pool discards broken connections.
 */
function outliveErrors(client: ClientBase): void {
  client.on('error', () => undefined);
}

function observePool(pool: Pool, { metrics }: Telemetry): void {
  const name = 'db_pool_connections';
  if (metrics.getSingleMetric(name) !== undefined) return;
  new Gauge({
    name,
    help: 'Connections of the database pool by state; waiting are requests without one.',
    labelNames: ['state'],
    registers: [metrics],
    collect() {
      this.set({ state: 'total' }, pool.totalCount);
      this.set({ state: 'idle' }, pool.idleCount);
      this.set({ state: 'waiting' }, pool.waitingCount);
    },
  });
}
