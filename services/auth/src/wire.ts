import type { Writable } from 'node:stream';
import { createHttpServer, jwtAuthenticator } from '@taskwire/http-server';
import { createLoop, type Component } from '@taskwire/lifecycle';
import { createRelay, createWaker } from '@taskwire/outbox';
import { createDatabase, refuseNewerDatabase, requireMigrated } from '@taskwire/postgres';
import { createRabbit, publishOnlyTopology } from '@taskwire/rabbit';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { changeUser, deleteUser } from './app/change-user.ts';
import { createUser } from './app/create-user.ts';
import { grantServiceToken } from './app/grant-service-token.ts';
import { logIn } from './app/log-in.ts';
import type { Passwords } from './app/ports.ts';
import { readInternalUser, readUser } from './app/read-user.ts';
import { refresh } from './app/refresh.ts';
import { register } from './app/register.ts';
import type { Env } from './env.ts';
import { routes, type UseCases } from './http/routes.ts';
import { migrations } from './migrations.ts';
import { owaspCost } from './passwords/argon2id.ts';
import { createPasswords } from './passwords/passwords.ts';
import { createLimits } from './postgres/limits.ts';
import { purgeExpired } from './postgres/purge.ts';
import { createSessions } from './postgres/sessions.ts';
import { createSealedKeys } from './postgres/signing-key-rows.ts';
import { createUsers } from './postgres/users.ts';
import { createJwtIssuer } from './tokens/jwt-issuer.ts';
import { createServiceClients } from './tokens/service-clients.ts';
import { createSigningKeys } from './tokens/signing-keys.ts';

/** Auth's own audience. */
const audience = 'urn:taskwire:auth';
/** What expired is in nobody's way; once in ten minutes keeps the tables small. */
const purgeIntervalMs = 600_000;

/** Puts Auth together; nothing runs until its components are started. `overrides` are for tests. */
export async function wire(env: Env, overrides: { telemetry?: Telemetry; passwords?: Passwords } = {}) {
  const telemetry = overrides.telemetry ?? createTelemetry({ service: 'auth', level: env.LOG_LEVEL });
  const { logger, metrics } = telemetry;
  const db = await createDatabase({
    url: env.DATABASE_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: 'taskwire auth',
    telemetry,
  });
  const rabbit = createRabbit({ url: env.AMQP_URL, name: 'auth', telemetry, topology: publishOnlyTopology });
  const servesRequests = env.PROCESS_ROLE !== 'worker';
  const works = env.PROCESS_ROLE !== 'api';
  const relay = createRelay({
    databaseUrl: env.DATABASE_URL,
    publisher: rabbit.publisher(),
    telemetry,
    appId: 'auth',
  });
  const waker = createWaker({ db: db.pool, logger, ...(works ? { relay } : {}) });

  const users = createUsers(db, waker.wake);
  const sessions = createSessions(db, {
    refreshTokenDays: env.REFRESH_TOKEN_DAYS,
    sessionDays: env.SESSION_DAYS,
  });
  const passwords =
    overrides.passwords ??
    createPasswords({
      cost: owaspCost,
      concurrency: env.PASSWORD_HASH_CONCURRENCY,
      queue: env.PASSWORD_HASH_QUEUE,
      metrics,
    });
  const limits = createLimits(db.pool, {
    failuresPerAccountAndIp: env.LOGIN_FAILURES_PER_ACCOUNT_AND_IP,
    failuresPerIp: env.LOGIN_FAILURES_PER_IP,
    failureWindowMs: env.LOGIN_FAILURE_WINDOW_MS,
    registrationsPerIp: env.REGISTRATIONS_PER_IP,
    registrationWindowMs: env.REGISTRATION_WINDOW_MS,
  });
  const keys = createSigningKeys(createSealedKeys(db.pool), env.KEY_ENCRYPTION_SECRET);
  const tokens = createJwtIssuer({ issuer: env.ISSUER, lifetimeSeconds: env.ACCESS_TOKEN_SECONDS, keys });
  const clients = createServiceClients(env.M2M_CLIENTS);
  const requireVerifiedEmail = env.AUTH_REQUIRE_VERIFIED_EMAIL;

  const useCases: UseCases = {
    register: register({ users, passwords, limits }),
    logIn: logIn({ users, sessions, passwords, tokens, limits, requireVerifiedEmail }),
    refresh: refresh({ sessions, tokens, logger }),
    logOut: sessions.end,
    createUser: createUser({ users, passwords }),
    readUser: readUser({ users }),
    changeUser: changeUser({ users }),
    deleteUser: deleteUser({ users }),
    readInternalUser: readInternalUser({ users }),
    grantServiceToken: grantServiceToken({ clients, tokens }),
    publicJwks: keys.publicJwks,
  };
  const http = createHttpServer({
    telemetry,
    host: env.HOST,
    port: env.PORT,
    trustedProxies: env.TRUSTED_PROXIES,
    routes: servesRequests ? routes(useCases, users) : [],
    authenticator: jwtAuthenticator({ issuer: env.ISSUER, audience, keys, checkUser: sessions.checkAccess }),
    readiness: {
      database: db.ping,
      ...(works ? { broker: rabbit.ping } : {}),
      migrations: async () => await requireMigrated(db.pool, migrations),
      signing_key: async () => void (await keys.active()),
    },
  });
  const purge = createLoop({
    name: 'purge',
    tick: async () => await purgeExpired(db.pool),
    intervalMs: purgeIntervalMs,
    logger,
  });
  const database: Component = {
    name: 'database',
    start: async () => await refuseNewerDatabase(db.pool, migrations),
    stop: db.close,
  };

  const components: Component[] = [
    database,
    waker,
    ...(works ? [rabbit, relay, purge] : []),
    // last to start, so first to stop: no request comes once the rest goes
    http,
  ];
  return { components, telemetry, http, relay, purge, db };
}

/** What the command line does, without a running service: `close` ends its connection. */
export async function wireCommands({ DATABASE_URL: url }: Pick<Env, 'DATABASE_URL'>, logs: Writable) {
  const telemetry = createTelemetry({ service: 'auth', level: 'error', stream: logs });
  const db = await createDatabase({ url, poolSize: 1, applicationName: 'taskwire auth command', telemetry });
  return {
    requireMigrated: async () => await requireMigrated(db.pool, migrations),
    createUser: createUser({
      // the relay of the running service finds the event by its poll
      users: createUsers(db, () => undefined),
      passwords: createPasswords({ cost: owaspCost, concurrency: 1, queue: 1, metrics: telemetry.metrics }),
    }),
    close: db.close,
  };
}
