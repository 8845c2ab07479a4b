import type { ServiceEnv } from '@taskwire/env';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '@taskwire/http-server';
import type { Component } from '@taskwire/lifecycle';
import {
  createDatabase,
  refuseNewerDatabase,
  requireMigrated,
  type Database,
  type Entity,
  type MigrationSource,
} from '@taskwire/postgres';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';

type Env = Pick<ServiceEnv, 'DATABASE_URL' | 'HOST' | 'LOG_LEVEL' | 'PROCESS_ROLE' | 'TRUSTED_PROXIES'> & {
  PORT: number;
  DATABASE_POOL_SIZE: number;
};

export type ServiceOptions = {
  name: string;
  env: Env;
  migrations: readonly MigrationSource[];
  entities: readonly Entity<object>[];
  /** Replaces the service's telemetry in tests. */
  telemetry?: Telemetry | undefined;
};

export type Service = {
  telemetry: Telemetry;
  db: Database;
  /** Refuses to start on a database whose migrations need a newer release. Closes the connections when it stops. */
  database: Component;
  /** Returns parts of the public API if this process serves it, and otherwise none. */
  serving<T>(parts: readonly T[]): readonly T[];
  /** Returns parts of the background work if this process does it, and otherwise none. */
  working<T>(parts: readonly T[]): readonly T[];
  /**
   * Creates the HTTP server: health, readiness and metrics in every process, and the given routes in those that serve the public API. A process that
   * does background work is ready only while it has a connection to the broker.
   */
  serve(options: ServeOptions): HttpServer;
};

export type ServeOptions = Pick<HttpServerOptions, 'routes' | 'rawRoutes' | 'authenticator' | 'onRefusal'> & {
  broker: { ping(): Promise<unknown> };
  /** Readiness checks besides those of the database, its migrations and the broker. */
  readiness?: HttpServerOptions['readiness'];
};

/** Creates the parts that all services share. Nothing runs until the components are started. */
export async function openService({ name, env, migrations, entities, ...options }: ServiceOptions): Promise<Service> {
  const telemetry = options.telemetry ?? createTelemetry({ service: name, level: env.LOG_LEVEL });
  const db = await createDatabase({
    url: env.DATABASE_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: `taskwire ${name}`,
    entities,
    telemetry,
  });
  const serving = <T>(parts: readonly T[]): readonly T[] => (env.PROCESS_ROLE === 'worker' ? [] : parts);
  const working = <T>(parts: readonly T[]): readonly T[] => (env.PROCESS_ROLE === 'api' ? [] : parts);
  return {
    telemetry,
    db,
    database: {
      name: 'database',
      start: async () => await refuseNewerDatabase(db.pool, migrations),
      stop: db.close,
    },
    serving,
    working,
    serve({ routes, rawRoutes = [], broker, readiness = {}, ...handling }) {
      const checks = Object.fromEntries(working([['broker', broker.ping] as const]));
      return createHttpServer({
        ...handling,
        telemetry,
        host: env.HOST,
        port: env.PORT,
        trustedProxies: env.TRUSTED_PROXIES,
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
