import { subscriptions } from '@taskwire/contracts';
import { createM2mTokens, createServiceClient, privateKeyJwt } from '@taskwire/http-client';
import { createHttpServer, jwtAuthenticator, remoteKeys } from '@taskwire/http-server';
import { createDeadLetters } from '@taskwire/dead-letters';
import { createInbox } from '@taskwire/inbox';
import { createLoop, type Component } from '@taskwire/lifecycle';
import { createDatabase, refuseNewerDatabase, requireMigrated, type Tx } from '@taskwire/postgres';
import { createRabbit, eventQueue, serviceTopology } from '@taskwire/rabbit';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { createUserDirectory, createUsersClient } from '@taskwire/user-directory';
import { sends, type Channel } from './app/channel.ts';
import { notificationBuilder } from './app/build-notification.ts';
import { deliveryLoop } from './app/deliver.ts';
import { findTask, findTaskNow } from './app/find-task.ts';
import type { MailBudgetSettings } from './app/mail-budget.ts';
import { deliveryMetrics } from './postgres/delivery-metrics.ts';
import { recheck } from './app/recheck.ts';
import { notifyAboutAccount } from './app/notify-about-account.ts';
import { planInvitation } from './app/plan-invitation.ts';
import { notifyAboutTask } from './app/notify-about-task.ts';
import { email } from './channels/email/email.ts';
import { inApp } from './channels/in-app.ts';
import { findLink } from './clients/links.ts';
import { findAccountHolder, findUser } from './clients/users.ts';
import { fetchTask } from './clients/tasks.ts';
import type { NewNotification } from './app/ports.ts';
import type { Env } from './env.ts';
import { routes } from './http/routes.ts';
import { handlers } from './messaging/handlers.ts';
import { migrations } from './migrations.ts';
import { deliveryLog, readOpenDeliveries } from './postgres/deliveries.ts';
import { eraseExpired } from './postgres/erase.ts';
import { deleteOldCounts, mailBudget } from './postgres/mail-budget.ts';
import { notificationInbox, writeNotifications } from './postgres/notifications.ts';
import { taskCache } from './postgres/task-cache.ts';
import { contentInApp } from './app/notifications/definitions.ts';
import { planMissedWelcome } from './app/plan-missed-welcome.ts';

/** The audience of Notifications, and its name as the owner of a queue. */
const audience = 'urn:taskwire:notifications';
const service = 'notifications';
const bindings = subscriptions.notifications;
/** Acknowledge and ignore subscribed events that notify no one, and event types this build doesn't know yet. */
const ignore = bindings;

/**
 * The maximum delay of a delivery, in milliseconds. A second is soon enough for an e-mail, and a check is one index
 * probe.
 */
const deliveryPollMs = 1_000;
/** Not urgent: erased users were deleted weeks ago, and other expired data are months old. */
const erasureIntervalMs = 3_600_000;

/** Composes Notifications. Nothing runs until its components are started. `overrides` are for tests. */
export async function wire(env: Env, overrides: { telemetry?: Telemetry; verifyEveryMs?: number } = {}) {
  const telemetry = overrides.telemetry ?? createTelemetry({ service, level: env.LOG_LEVEL });
  const db = await createDatabase({
    url: env.DATABASE_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: 'taskwire notifications',
    telemetry,
  });
  const servesRequests = env.PROCESS_ROLE !== 'worker';
  const works = env.PROCESS_ROLE !== 'api';

  // other services
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
  // a separate client, so that a failure with links (such as a scope that Auth doesn't grant yet) affects nothing else
  const authLinks = createServiceClient({
    name: 'auth links',
    baseUrl: env.AUTH_INTERNAL_URL,
    audience: 'urn:taskwire:auth',
    scope: 'account_links:read',
    tokens,
    telemetry,
  });
  const tasks = createServiceClient({
    name: 'tasks',
    baseUrl: env.TASKS_INTERNAL_URL,
    audience: 'urn:taskwire:tasks',
    scope: 'tasks:read',
    tokens,
    telemetry,
  });
  const users = createUsersClient(auth);
  const directory = createUserDirectory({
    ...{ db, users, telemetry },
    requireVerifiedEmail: env.AUTH_REQUIRE_VERIFIED_EMAIL,
    introduce: async (tx, user) => (await notify(tx, [welcome(user)])) > 0,
  });
  const people = findUser(directory);
  const accountHolders = findAccountHolder(directory, users);

  // a channel is one file and one entry in this list
  const mail = email({
    smtpUrl: env.SMTP_URL,
    from: env.MAIL_FROM,
    publicUrl: env.PUBLIC_URL,
    findUser: people,
    findAccountHolder: accountHolders,
    findLink: findLink(authLinks),
    budget: mailBudget(db, budgetsOf(env)),
    connections: env.SMTP_CONNECTIONS,
  });
  const channels: readonly Channel[] = [inApp, mail];

  // from event to notification
  const buildNotification = notificationBuilder(contentInApp, channels);
  const welcome = planMissedWelcome({ buildNotification });
  const taskSources = { cache: taskCache(db.pool), fetchTask: fetchTask(tasks) };
  const cachedTask = findTask(taskSources);
  const rabbit = createRabbit({
    url: env.AMQP_URL,
    name: service,
    telemetry,
    topology: serviceTopology({ service, bindings }),
    managementUrl: env.RABBITMQ_MANAGEMENT_URL,
    verifyEveryMs: overrides.verifyEveryMs,
  });
  const wakeDeliveries = () => deliveries.forEach((loop) => loop.wake());
  const notify = async (tx: Tx, notifications: readonly NewNotification[]): Promise<number> => {
    tx.afterCommit(wakeDeliveries);
    return await writeNotifications(tx, notifications);
  };
  const inbox = createInbox({
    db,
    rabbit,
    queue: eventQueue(service),
    handlers: [
      ...directory.handlers,
      ...handlers({
        notifyAboutTask: notifyAboutTask({ findTask: cachedTask, findUser: people, buildNotification }),
        notifyAboutAccount: notifyAboutAccount({
          findUser: people,
          findAccountHolder: accountHolders,
          buildNotification,
        }),
        planInvitation: planInvitation({ buildNotification }),
        introduced: directory.introduced,
        writeNotifications: notify,
      }),
    ],
    senders: { logins: env.EVENT_LOGINS, withoutUserId: env.EVENTS_WITHOUT_USER_ID },
    telemetry,
    ignore,
    claimWhile: () => !auth.open && !tasks.open,
  });

  // from notification to recipient
  const log = deliveryLog(db.pool);
  const ended = deliveryMetrics(telemetry.metrics, async () => await readOpenDeliveries(db.pool));
  const deliveries = channels.filter(sends).map((channel) =>
    deliveryLoop({
      log,
      channel,
      recheck: recheck({ findTaskNow: findTaskNow(taskSources) }),
      concurrency: env.SMTP_CONNECTIONS,
      intervalMs: deliveryPollMs,
      telemetry: { logger: telemetry.logger, ended },
    }),
  );

  const http = createHttpServer({
    telemetry,
    host: env.HOST,
    port: env.PORT,
    trustedProxies: env.TRUSTED_PROXIES,
    routes: servesRequests ? routes({ inbox: notificationInbox(db.pool), deadLetters: createDeadLetters({ db }) }) : [],
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

  const erasure = createLoop({
    name: 'erasure',
    async tick() {
      const progress = [
        await eraseExpired(db, { notificationDays: env.NOTIFICATION_DAYS, content: contentInApp }),
        await deleteOldCounts(db.pool),
      ];
      return progress.includes('more') ? 'more' : 'idle';
    },
    intervalMs: erasureIntervalMs,
    logger: telemetry.logger,
  });

  // stopped in reverse order: components that may wait for an SMTP server stop last
  const workers: Component[] = [...deliveries, erasure, directory.refresher, directory.sweeper, rabbit, inbox];
  const database: Component = {
    name: 'database',
    start: async () => await refuseNewerDatabase(db.pool, migrations),
    stop: db.close,
  };
  const components: Component[] = [
    database,
    closing('clients', async () => {
      mail.close();
      await Promise.all([auth.close(), authLinks.close(), tasks.close()]);
      await tokens.close();
    }),
    ...(works ? workers : []),
    // starts last, so it stops first: no request arrives while the other components stop
    http,
  ];
  return { components, telemetry, http, inbox, directory, deliveries, db };
}

function budgetsOf(env: Env): MailBudgetSettings {
  const account = env.ACCOUNT_MAILS_PER_RECIPIENT;
  return {
    // Auth limits how often an account can change its address to less than this
    perRecipient: { task: env.MAILS_PER_RECIPIENT, link: account, security: account, undo: env.MAILS_PER_RECIPIENT },
    perCaller: env.MAILS_PER_CALLER,
    windowMs: env.MAIL_WINDOW_MS,
  };
}

/** A component that is open from the start and must be closed at the end. */
function closing(name: string, stop: () => Promise<void>): Component {
  return { name, start: async () => undefined, stop };
}
