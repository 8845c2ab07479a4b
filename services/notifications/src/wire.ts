import { createDeadLetters } from '@taskwire/dead-letters';
import { openService, remoteAuthenticator, serviceClients } from '@taskwire/service';
import type { Telemetry } from '@taskwire/telemetry';
import { createUserDirectory, createUsersClient } from '@taskwire/user-directory';
import { notificationBuilder } from './app/build-notification.ts';
import { findTask, findTaskNow } from './app/find-task.ts';
import { contentInApp } from './app/notifications/definitions.ts';
import { notifyAboutAccount } from './app/notify-about-account.ts';
import { notifyAboutTask } from './app/notify-about-task.ts';
import { planInvitation } from './app/plan-invitation.ts';
import { planMissedWelcome } from './app/plan-missed-welcome.ts';
import { findLink } from './clients/links.ts';
import { fetchTask } from './clients/tasks.ts';
import { findAccountHolder, findUser } from './clients/users.ts';
import type { Env } from './env.ts';
import { routes } from './http/routes.ts';
import { handlers } from './messaging/handlers.ts';
import { migrations } from './migrations.ts';
import { entities } from './postgres/entities.ts';
import { journeysIn } from './postgres/journeys.ts';
import { notificationInbox, notificationsAtCommit, notificationWriter } from './postgres/notifications.ts';
import { notificationRetention } from './postgres/retention.ts';
import { taskCache } from './postgres/task-cache.ts';
import { targetsOf } from './wire/clients.ts';
import { wireChannels, wireDelivery } from './wire/delivery.ts';
import { wireEvents } from './wire/events.ts';
import { retentionPeriods } from './wire/retention.ts';

/** The audience of access tokens for this service. */
const audience = 'urn:taskwire:notifications';
const name = 'notifications';

/** Composes Notifications. Nothing runs until its components are started. `overrides` are for tests. */
export async function wire(env: Env, overrides: { telemetry?: Telemetry; verifyEveryMs?: number } = {}) {
  const service = await openService({
    ...{ name, env, migrations, entities, telemetry: overrides.telemetry },
    // mails that were waiting at the restored time may have been sent since
    waitsForRecovery: true,
  });
  const { telemetry, db, database } = service;
  const { clients, component: openClients } = serviceClients(env, telemetry, targetsOf(env));

  // users and tasks
  const users = createUsersClient(clients.auth);
  const directory = createUserDirectory({
    ...{ db, users, telemetry, requireVerifiedEmail: env.AUTH_REQUIRE_VERIFIED_EMAIL },
    introduce: async (tx, user) => (await writeNotifications(tx, [planMissedWelcome({ buildNotification })(user)])) > 0,
  });
  const lookups = { findUser: findUser(directory), findAccountHolder: findAccountHolder(directory, users) };
  const taskSources = { cache: taskCache(db.pool), fetchTask: fetchTask(clients.tasks) };

  // from notification to recipient
  const { channels, component: openChannels } = wireChannels(env, db, {
    ...lookups,
    findLink: findLink(clients.authLinks),
  });
  const delivery = wireDelivery(env, { db, channels, findTaskNow: findTaskNow(taskSources), ...lookups, telemetry });

  // from event to notification
  const buildNotification = notificationBuilder(contentInApp, channels);
  const writeNotifications = notificationWriter(delivery.wake);
  const planned = handlers({
    notifyAboutTask: notifyAboutTask({ ...lookups, findTask: findTask(taskSources), buildNotification }),
    notifyAboutAccount: notifyAboutAccount({ ...lookups, buildNotification }),
    planInvitation: planInvitation({ buildNotification }),
    introduced: directory.introduced,
    writeNotifications: notificationsAtCommit(delivery.wake),
  });
  const { rabbit, inbox } = wireEvents(env, {
    ...{ db, telemetry, partitions: service.partitions, verifyEveryMs: overrides.verifyEveryMs },
    handlers: [...directory.handlers, ...planned],
    claimWhile: () => !clients.auth.open && !clients.tasks.open,
  });
  const retention = notificationRetention(db, retentionPeriods(env), telemetry);

  const http = service.serve({
    routes: routes({
      inbox: notificationInbox(db),
      deadLetters: createDeadLetters({ db }),
      readJourneys: journeysIn(db.pool),
    }),
    authenticator: remoteAuthenticator(env, { audience, telemetry, checkUser: directory.checkUser }),
    broker: rabbit,
  });
  const workers = [...delivery.loops, retention, directory.refresher, directory.reconciler];
  // The components are stopped in reverse order, so that no request arrives while the others stop, and those that may wait for an SMTP server stop
  // last.
  const components = [
    database,
    openClients,
    openChannels,
    ...service.working([...workers, service.partitions, rabbit, inbox]),
    http,
  ];
  return { components, telemetry, http, inbox, directory, deliveries: delivery.loops, db };
}
