import { subscriptions } from '@taskwire/contracts';
import { createM2mTokens, createServiceClient, privateKeyJwt } from '@taskwire/http-client';
import { createHttpServer, jwtAuthenticator, remoteKeys } from '@taskwire/http-server';
import { createDeadLetters } from '@taskwire/dead-letters';
import { createInbox } from '@taskwire/inbox';
import { createLoop, type Component } from '@taskwire/lifecycle';
import { createRelay, createNotifier } from '@taskwire/outbox';
import { createDatabase, refuseNewerDatabase, requireMigrated } from '@taskwire/postgres';
import { createRabbit, eventQueue, serviceTopology } from '@taskwire/rabbit';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { createUserDirectory, createUsersClient } from '@taskwire/user-directory';
import { reassignTasks } from './app/reassign-tasks.ts';
import { createUserLimit } from './app/user-limit.ts';
import { createUsers } from './directory/eligibility.ts';
import { changesPerformers } from './domain/performer.ts';
import type { Env } from './env.ts';
import { routes } from './http/routes.ts';
import { migrations } from './migrations.ts';
import { entities } from './postgres/entities.ts';
import { reassignmentQueries } from './postgres/locks.ts';
import { performerSql } from './postgres/performer-sql.ts';
import { taskRetention } from './postgres/retention.ts';
import { createTaskStore } from './postgres/task-store.ts';
import { observeAwaitingReassignment } from './postgres/reassignment-gauge.ts';

/** The audience of Tasks, and its name as the owner of a queue. */
const audience = 'urn:taskwire:tasks';
const service = 'tasks';

/**
 * The longest time for which an orphaned task waits for a new performer when the wake-up was lost because a process
 * died. With 100,000 open tasks the check takes about 40 ms.
 */
const reassignPollMs = 3_000;

/** Composes Tasks. Nothing runs until its components are started. `overrides` are for tests. */
export async function wire(env: Env, overrides: { telemetry?: Telemetry } = {}) {
  const telemetry = overrides.telemetry ?? createTelemetry({ service, level: env.LOG_LEVEL });
  const { logger } = telemetry;
  const db = await createDatabase({
    url: env.DATABASE_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: 'taskwire tasks',
    entities,
    telemetry,
  });
  const servesRequests = env.PROCESS_ROLE !== 'worker';
  const works = env.PROCESS_ROLE !== 'api';

  // outgoing events
  const rabbit = createRabbit({
    url: env.AMQP_URL,
    name: service,
    telemetry,
    topology: serviceTopology({ service, bindings: subscriptions.tasks }),
    managementUrl: env.RABBITMQ_MANAGEMENT_URL,
    sender: { service, logins: env.EVENT_LOGINS },
  });
  const relay = createRelay({
    databaseUrl: env.DATABASE_URL,
    publisher: rabbit.publisher(),
    telemetry,
    appId: service,
  });
  const outboxNotifier = createNotifier({ db, logger, ...(works ? { relay } : {}) });
  const policy = { requireVerifiedEmail: env.AUTH_REQUIRE_VERIFIED_EMAIL };
  const tasks = createTaskStore(db, policy);

  // reassignment when performers change
  const reassigner = createLoop({
    name: 'reassigner',
    tick: async () => await reassignTasks({ tasks }),
    intervalMs: reassignPollMs,
    logger,
  });
  const { countAwaitingReassignment } = reassignmentQueries(performerSql(policy));
  observeAwaitingReassignment(async () => await countAwaitingReassignment(db.pool), telemetry);

  // the user directory
  const tokens = createM2mTokens({
    tokenUrl: `${env.AUTH_INTERNAL_URL}/oidc/token`,
    authentication: privateKeyJwt({
      clientId: env.CLIENT_ID,
      issuer: env.ISSUER,
      privateKey: env.CLIENT_PRIVATE_KEY,
    }),
    telemetry,
  });
  const auth = createServiceClient({
    name: 'auth',
    baseUrl: env.AUTH_INTERNAL_URL,
    audience: 'urn:taskwire:auth',
    scope: 'users:read',
    tokens,
    telemetry,
  });
  const directory = createUserDirectory({
    db,
    users: createUsersClient(auth),
    telemetry,
    ...policy,
    onApplied: async (tx, change) => {
      if (changesPerformers(change, policy)) tx.afterCommit(reassigner.wake);
    },
  });
  const inbox = createInbox({
    db,
    rabbit,
    queue: eventQueue(service),
    handlers: directory.handlers,
    senders: { logins: env.EVENT_LOGINS, withoutUserId: env.EVENTS_WITHOUT_USER_ID },
    telemetry,
  });

  const http = createHttpServer({
    telemetry,
    host: env.HOST,
    port: env.PORT,
    trustedProxies: env.TRUSTED_PROXIES,
    routes: servesRequests
      ? routes({
          tasks,
          users: createUsers(directory, policy),
          deadLetters: createDeadLetters({ db }),
          creations: createUserLimit({ what: 'create tasks', perMinute: env.TASK_CREATIONS_PER_MINUTE }),
          shuffles: createUserLimit({ what: 'shuffle', perMinute: env.SHUFFLES_PER_MINUTE }),
        })
      : [],
    authenticator: jwtAuthenticator({
      issuer: env.ISSUER,
      audience,
      keys: remoteKeys({ url: `${env.AUTH_INTERNAL_URL}/oidc/jwks`, telemetry }),
      checkUser: directory.checkUser,
    }),
    readiness: {
      database: db.checkReady,
      migrations: async () => await requireMigrated(db.pool, migrations),
      ...(works ? { broker: rabbit.ping } : {}),
    },
  });
  const retention = taskRetention(db.pool, logger);

  const workers: Component[] = [rabbit, relay, inbox, directory.refresher, directory.reconciler, reassigner, retention];
  const database: Component = {
    name: 'database',
    start: async () => await refuseNewerDatabase(db.pool, migrations),
    stop: db.close,
  };
  const components: Component[] = [
    database,
    stopping('clients of Auth', async () => void (await Promise.all([auth.close(), tokens.close()]))),
    outboxNotifier,
    ...(works ? workers : []),
    // starts last, so it stops first: no request arrives while the other components stop
    http,
  ];
  return { components, telemetry, http, relay, inbox, directory, reassigner, retention, db };
}

function stopping(name: string, stop: () => Promise<void>): Component {
  return { name, start: async () => undefined, stop };
}
