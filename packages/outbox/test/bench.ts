import { createRelay, outboxMigrations, type Relay, type RelayLimits } from '@taskwire/outbox';
import { query } from '@taskwire/postgres';
import type { Publisher } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';

/** An outbox in a fresh database. */
export type Bench = {
  database: TestDatabase;
  /** Not started. */
  relay(publisher: Publisher, limits?: Partial<RelayLimits>, databaseUrl?: string): Relay;
  /** The rows that remain in the outbox. */
  rows(): Promise<Record<string, unknown>[]>;
  /** Ends the database connections of all relays, as a failover of PostgreSQL does. Resolves to the number of connections. */
  killLeaderConnections(): Promise<number>;
  drop(): Promise<void>;
};

/** Small, so that a few rows reach every limit, and without pauses between retries. */
export const smallLimits: RelayLimits = {
  window: 20,
  windowBytes: 1_000_000,
  inFlight: 8,
  batch: 5,
  retry: { baseMs: 1, capMs: 5 },
};

export async function createBench(): Promise<Bench> {
  const database = await testDatabase([outboxMigrations]);
  const { db } = database;
  const relays: Relay[] = [];
  return {
    database,
    relay(publisher, limits = smallLimits, databaseUrl = database.url) {
      const telemetry = createTelemetry({ service: 'tasks', stream: silent() });
      const relay = createRelay({ databaseUrl, publisher, telemetry, appId: 'tasks', limits });
      relays.push(relay);
      return relay;
    },
    rows: async () => await query(db.pool, 'SELECT * FROM outbox ORDER BY id'),
    async killLeaderConnections() {
      const killed = await query(
        db.pool,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'taskwire tasks relay %'`,
      );
      return killed.length;
    },
    async drop() {
      await Promise.all(relays.map((relay) => relay.stop()));
      await database.drop();
    },
  };
}

export function anEvent(n: number, aggregateId = 'a') {
  return { type: 'tasks.task.changed', aggregateId, payload: { n } };
}

/** The only partition of an outbox that is not divided. */
export const wholeOutbox = { index: 0, count: 1 } as const;
