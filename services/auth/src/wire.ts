import { createHttpServer, jwtAuthenticator } from '@taskwire/http-server';
import { createLoop, type Component } from '@taskwire/lifecycle';
import { createRelay, createWaker } from '@taskwire/outbox';
import { createDatabase, refuseNewerDatabase, requireMigrated } from '@taskwire/postgres';
import { createRabbit, publishOnlyTopology } from '@taskwire/rabbit';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { addUser } from './app/add-user.ts';
import { authenticate, checkPassword as checkPasswordOf } from './app/authenticate.ts';
import { changeUser, deleteUser } from './app/change-user.ts';
import { checkAccess } from './app/check-access.ts';
import { createUser } from './app/create-user.ts';
import { logIn, startSession as createStartSession } from './app/log-in.ts';
import type { Passwords } from './app/ports.ts';
import { readInternalUser, readUser } from './app/read-user.ts';
import { reauthenticate } from './app/reauthenticate.ts';
import { refreshTokens as createRefreshTokens } from './app/refresh-tokens.ts';
import { refresh } from './app/refresh.ts';
import { restoreUserByAdmin } from './app/restore-user.ts';
import { stepUp as createStepUp } from './app/step-up.ts';
import type { Env } from './env.ts';
import { accessRoutes } from './http/access-routes.ts';
import { accountRoutes } from './http/account-routes.ts';
import { auditRefusals } from './http/refusals.ts';
import { routes, type UseCases } from './http/routes.ts';
import { migrations } from './migrations.ts';
import { owaspCost } from './passwords/argon2id.ts';
import { createPasswords } from './passwords/passwords.ts';
import { readWordLists } from './passwords/strength.ts';
import { createAudit } from './postgres/audit.ts';
import { createStoredClients } from './postgres/client-rows.ts';
import { eraseOld } from './postgres/erase.ts';
import { providerAdapter } from './postgres/provider-adapter.ts';
import { purgeExpired } from './postgres/purge.ts';
import { createSessions } from './postgres/sessions.ts';
import { createSealedKeys } from './postgres/signing-key-rows.ts';
import { createUsers } from './postgres/users.ts';
import { clientMetadata } from './oidc/client-metadata.ts';
import { providerEndpoints } from './oidc/endpoints.ts';
import { interactionPages } from './oidc/interaction.ts';
import { requestInProgress } from './oidc/origin.ts';
import { createProviders } from './oidc/provider.ts';
import { derivedKey } from './tokens/derived-keys.ts';
import { createJwtIssuer } from './tokens/jwt-issuer.ts';
import { createSigningKeys, rotateKeys } from './tokens/signing-keys.ts';
import { clientDirectory, wireAccess } from './wire-clients.ts';
import { wireLimits } from './wire-limits.ts';
import { userSettings, wireAccount } from './wire-account.ts';
import { wireRegistration } from './wire-registration.ts';
import { rotationSchedule } from './cli/wire.ts';

/** Auth's own audience. */
const audience = 'urn:taskwire:auth';
/** Expired rows do no harm; purging every ten minutes keeps the tables small. */
const purgeIntervalMs = 600_000;

/** Periods counted in days need no more frequent check. */
const erasureIntervalMs = 3_600_000;

/** Rotation periods are days; a replica that was down for a while is late by no more than this. */
const keyScheduleIntervalMs = 60_000;

/** Short, so that a flood appears in the log while it lasts. */
const auditPeriodMs = 60_000;
/** A user mistypes fewer times in a minute. 120 a minute are about 50 MB of log a day during an attack that lasts all day. */
const auditedRefusals = { perNetwork: 20, perPeriod: 120 };

/** Wires Auth; nothing runs until its components are started. `overrides` are for tests. */
export async function wire(env: Env, overrides: { telemetry?: Telemetry; passwords?: Passwords } = {}) {
  const telemetry = overrides.telemetry ?? createTelemetry({ service: 'auth', level: env.LOG_LEVEL });
  const { logger, metrics } = telemetry;
  const db = await createDatabase({
    url: env.DATABASE_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: 'taskwire auth',
    telemetry,
  });
  const rabbit = createRabbit({
    url: env.AMQP_URL,
    name: 'auth',
    telemetry,
    topology: publishOnlyTopology,
    sender: { service: 'auth', logins: env.EVENT_LOGINS },
  });
  const servesRequests = env.PROCESS_ROLE !== 'worker';
  const works = env.PROCESS_ROLE !== 'api';
  const relay = createRelay({
    databaseUrl: env.DATABASE_URL,
    publisher: rabbit.publisher(),
    telemetry,
    appId: 'auth',
  });
  const waker = createWaker({ db, logger, ...(works ? { relay } : {}) });

  const audit = createAudit(db, auditedRefusals);
  const users = createUsers(db, userSettings(env));
  const sessions = createSessions(db, {
    refreshTokenDays: env.REFRESH_TOKEN_DAYS,
    sessionDays: env.SESSION_DAYS,
    graceSeconds: env.REFRESH_GRACE_SECONDS,
  });
  const passwords =
    overrides.passwords ??
    createPasswords({
      cost: owaspCost,
      concurrency: env.PASSWORD_HASH_CONCURRENCY,
      queue: env.PASSWORD_HASH_QUEUE,
      metrics,
    });
  const secret = env.KEY_ENCRYPTION_SECRET;
  const { limits, deviceProofs } = wireLimits(env, db.pool, metrics);
  const sealedKeys = createSealedKeys(db);
  const keys = createSigningKeys(sealedKeys, secret);
  const rotation = rotateKeys(sealedKeys, secret, rotationSchedule(env));
  const tokens = createJwtIssuer({ issuer: env.ISSUER, lifetimeSeconds: env.ACCESS_TOKEN_SECONDS, keys });
  const refreshTokens = createRefreshTokens(derivedKey(secret, 'refresh tokens'));
  const checkPassword = authenticate({ users, passwords, limits, audit });
  const requireVerifiedEmail = env.AUTH_REQUIRE_VERIFIED_EMAIL;

  const clients = clientDirectory(env.OIDC_CLIENTS, createStoredClients(db));
  const providers = createProviders({
    issuer: env.ISSUER,
    corsOrigins: env.CORS_ORIGINS,
    keys: keys.ring,
    sessions,
    refreshTokens,
    cookieKey: derivedKey(secret, 'cookies'),
    requireVerifiedEmail,
    lifetimes: {
      accessTokenSeconds: env.ACCESS_TOKEN_SECONDS,
      refreshTokenDays: env.REFRESH_TOKEN_DAYS,
      sessionDays: env.SESSION_DAYS,
    },
    audit,
    logger,
    adapter: providerAdapter({
      db,
      request: requestInProgress,
      refreshTokens,
      graceSeconds: env.REFRESH_GRACE_SECONDS,
      clients: {
        async find(id) {
          const client = await clients.find(id);
          return client && clientMetadata(client);
        },
      },
      onReuse: (kind) => logger.warn('single-use credential replayed; grant revoked', { kind }),
    }),
  });
  const pages = interactionPages({
    issuer: env.ISSUER,
    providers,
    authenticate: checkPassword,
    sessions,
    audit,
    deviceProofs,
    formKey: derivedKey(secret, 'forms'),
  });

  const startSession = createStartSession({ sessions, refreshTokens, tokens });
  const registration = wireRegistration(env, {
    ...{ db, users, passwords, limits, deviceProofs, audit },
  });
  const checkOwnPassword = checkPasswordOf({ users, passwords, limits });
  const stepUp = createStepUp({ users, checkPassword: checkOwnPassword, audit });
  const account = wireAccount(env, {
    ...{ db, users, passwords, limits, deviceProofs, audit, startSession, registration, logger, providers },
  });
  const useCases: UseCases = {
    register: registration.register,
    logIn: logIn({ authenticate: checkPassword, startSession, deviceProofs }),
    refresh: refresh({ sessions, refreshTokens, tokens, logger }),
    logOut: sessions.end,
    reauthenticate: reauthenticate({ users, checkPassword: checkOwnPassword, sessions, refreshTokens, tokens, audit }),
    addUser: addUser({ create: createUser({ users, passwords, limits }), stepUp }),
    readUser: readUser({ users }),
    changeUser: changeUser({ users, limits, audit, stepUp, policy: registration.policy }),
    deleteUser: deleteUser({ users, stepUp }),
    restoreUser: restoreUserByAdmin({ users, passwords, stepUp }),
    readInternalUser: readInternalUser({ users }),
  };
  const http = createHttpServer({
    telemetry,
    host: env.HOST,
    port: env.PORT,
    trustedProxies: env.TRUSTED_PROXIES,
    routes: servesRequests
      ? [
          ...routes(useCases, users, audit),
          ...accountRoutes(account.useCases),
          ...accessRoutes(wireAccess(db, clients)),
          ...registration.routes,
        ]
      : [],
    ownPaths: servesRequests ? [...providerEndpoints(env.ISSUER, providers), pages, ...account.pages] : [],
    onRefusal: auditRefusals(audit),
    authenticator: jwtAuthenticator({
      ...{ issuer: env.ISSUER, audience, keys },
      checkUser: checkAccess({ sessions, requireVerifiedEmail }),
    }),
    readiness: {
      database: db.checkReady,
      ...(works ? { broker: rabbit.ping } : {}),
      migrations: async () => await requireMigrated(db.pool, migrations),
      signing_key: async () => void (await keys.ring()),
    },
  });
  const purge = createLoop({
    name: 'purge',
    tick: async () => await purgeExpired(db.pool),
    intervalMs: purgeIntervalMs,
    logger,
  });
  const erasure = createLoop({
    name: 'erasure',
    tick: async () =>
      await eraseOld(db, {
        usersAfterDays: env.ERASE_DELETED_USERS_DAYS,
        auditOriginDays: env.AUDIT_ORIGIN_DAYS,
        auditEntryDays: env.AUDIT_ENTRY_DAYS,
      }),
    intervalMs: erasureIntervalMs,
    logger,
  });
  const keySchedule = createLoop({
    name: 'key schedule',
    async tick() {
      const { added, removed } = await rotation.keepSchedule();
      if (added) logger.info('the next signing key is there, and signs after the overlap');
      if (removed.length > 0) logger.info('retired signing keys are gone', { kids: removed });
      return 'idle';
    },
    intervalMs: keyScheduleIntervalMs,
    logger,
  });
  const auditPeriods = createLoop({
    name: 'audit counts',
    async tick() {
      await audit.endPeriod();
      return 'idle';
    },
    intervalMs: auditPeriodMs,
    logger,
  });
  const auditCounts = {
    ...auditPeriods,
    async stop() {
      await auditPeriods.stop();
      // flushes the unfinished period; without a database its counts are lost, as when the process is killed
      await audit.endPeriod().catch((error: unknown) => logger.warn('dropped unflushed refusal counts', { error }));
    },
  };
  const wordLists: Component = { name: 'word lists', start: async () => readWordLists(), stop: async () => undefined };
  const database: Component = {
    name: 'database',
    start: async () => await refuseNewerDatabase(db.pool, migrations),
    stop: db.close,
  };

  const components: Component[] = [
    database,
    waker,
    ...(works ? [rabbit, relay, purge, erasure, keySchedule, account.mailRequests, account.accountSchedule] : []),
    ...(servesRequests ? [auditCounts, wordLists, clients.check(logger)] : []),
    // last to start, so first to stop: no request arrives once the others stop
    http,
  ];
  return {
    components,
    telemetry,
    http,
    relay,
    purge,
    keySchedule,
    erasure,
    auditCounts,
    mailRequests: account.mailRequests,
    accountSchedule: account.accountSchedule,
    rotation,
    db,
  };
}
