import type { ObservabilityEnv, ServiceEnv } from '@taskwire/env';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '@taskwire/http-server';
import type { Component } from '@taskwire/lifecycle';
import { createPartitionWatch, partitionsOf, type PartitionWatch } from '@taskwire/partitions';
import {
  createDatabase,
  refuseNewerDatabase,
  requireMigrated,
  requireRecovered,
  type Database,
  type Entity,
  type MigrationSource,
} from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { openServiceTelemetry } from './service-telemetry.ts';

type Env = Pick<
  ServiceEnv,
  | 'DATABASE_URL'
  | 'DRAIN_MS'
  | 'EVENT_PARTITIONS'
  | 'EVENT_PARTITIONS_SERVED'
  | 'HOST'
  | 'LOG_LEVEL'
  | 'PROCESS_ROLE'
  | 'TRUSTED_PROXIES'
> &
  ObservabilityEnv & {
    PORT: number;
    DATABASE_POOL_SIZE: number;
  };

export type ServiceOptions = {
  name: string;
  env: Env;
  migrations: readonly MigrationSource[];
  entities: readonly Entity<object>[];
  /** Whether the service must not start on a database that was restored to an earlier time, until the operator's command has run (ADR 38). */
  waitsForRecovery?: true;
  /** Replaces the service's telemetry in tests. */
  telemetry?: Telemetry | undefined;
};

export type Service = {
  telemetry: Telemetry;
  db: Database;
  /** The component of the database. Its start rejects if the applied migrations need a newer release; its stop closes the connections. */
  database: Component;
  /**
   * The partitions that this process relays and consumes. In a process with background work, its start rejects if the number differs from the
   * recorded one.
   */
  partitions: PartitionWatch;
  /** Returns these parts of the public API if this process serves it, and otherwise an empty list. */
  serving<T>(parts: readonly T[]): readonly T[];
  /** Returns these parts of the background work if this process does such work, and otherwise an empty list. */
  working<T>(parts: readonly T[]): readonly T[];
  /**
   * Creates the HTTP server: health, readiness and metrics in every process, and the given routes in those that serve the public API. A process that
   * does background work is ready only while it has a connection to the broker.
   */
  serve(options: ServeOptions): HttpServer;
};

export type ServeOptions = Pick<HttpServerOptions, 'routes' | 'rawRoutes' | 'authenticator' | 'onRefusal'> & {
  broker: { ping(): Promise<unknown> };
  /** Readiness checks besides the checks of the database, its migrations and the broker. */
  readiness?: HttpServerOptions['readiness'];
};

/** Creates the parts that all services share. No part runs until the components are started. */
export async function openService({ name, env, migrations, entities, ...options }: ServiceOptions): Promise<Service> {
  const telemetry = options.telemetry ?? (await openServiceTelemetry(name, env));
  const db = await createDatabase({
    url: env.DATABASE_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: `taskwire ${name}`,
    entities,
    telemetry,
  });
  const partitions = createPartitionWatch({ db, partitions: partitionsOf(env), telemetry });
  const serving = <T>(parts: readonly T[]): readonly T[] => (env.PROCESS_ROLE === 'worker' ? [] : parts);
  const working = <T>(parts: readonly T[]): readonly T[] => (env.PROCESS_ROLE === 'api' ? [] : parts);
  return {
    telemetry,
    db,
    database: {
      name: 'database',
      async start() {
        await refuseNewerDatabase(db.pool, migrations);
        if (options.waitsForRecovery === true) requireRecovered(db.sourceEpoch(), name);
      },
      stop: db.close,
    },
    partitions,
    serving,
    working,
    serve({ routes, rawRoutes = [], broker, readiness = {}, ...handling }) {
      const checks = Object.fromEntries(
        working([['broker', broker.ping] as const, ['partitions', partitions.ready] as const]),
      );
      return createHttpServer({
        ...handling,
        telemetry,
        host: env.HOST,
        port: env.PORT,
        drainMs: env.DRAIN_MS,
        trustedProxies: env.TRUSTED_PROXIES,
        sourceEpoch: () => db.sourceEpoch().epoch,
        routes: serving(routes),
        rawRoutes: serving(rawRoutes),
        readiness: {
          database: db.checkReady,
          ...checks,
          migrations: async () => await requireMigrated(db.pool, migrations),
          ...readiness,
        },
      });
    },
  };
}
