import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
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
import { handlers } from './messaging/handlers.ts';
import { notificationWriter } from './postgres/notifications.ts';
import { notificationRetention } from './postgres/retention.ts';
import { taskCache } from './postgres/task-cache.ts';
import { wireClients } from './wire-clients.ts';
import { wireDatabase } from './wire-database.ts';
import { wireChannels, wireDelivery } from './wire-delivery.ts';
import { wireEvents } from './wire-events.ts';
import { wireRole } from './wire-role.ts';

/** Composes Notifications. Nothing runs until its components are started. `overrides` are for tests. */
export async function wire(env: Env, overrides: { telemetry?: Telemetry; verifyEveryMs?: number } = {}) {
  const telemetry = overrides.telemetry ?? createTelemetry({ service: 'notifications', level: env.LOG_LEVEL });
  const { db, component: database } = await wireDatabase(env, telemetry);
  const clients = wireClients(env, telemetry);

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
  const delivery = wireDelivery(env, { db, channels, findTaskNow: findTaskNow(taskSources), telemetry });

  // from event to notification
  const buildNotification = notificationBuilder(contentInApp, channels);
  const writeNotifications = notificationWriter(delivery.wake);
  const planned = handlers({
    notifyAboutTask: notifyAboutTask({ ...lookups, findTask: findTask(taskSources), buildNotification }),
    notifyAboutAccount: notifyAboutAccount({ ...lookups, buildNotification }),
    planInvitation: planInvitation({ buildNotification }),
    introduced: directory.introduced,
    writeNotifications,
  });
  const { rabbit, inbox } = wireEvents(env, {
    ...{ db, telemetry, verifyEveryMs: overrides.verifyEveryMs },
    handlers: [...directory.handlers, ...planned],
    claimWhile: clients.available,
  });
  const kept = { notificationDays: env.NOTIFICATION_DAYS, content: contentInApp };
  const retention = notificationRetention(db, kept, telemetry.logger);

  // stopped in reverse order: components that may wait for an SMTP server stop last
  const workers = [...delivery.loops, retention, directory.refresher, directory.reconciler, rabbit, inbox];
  const { http, components } = wireRole(
    env,
    { db, directory, telemetry },
    { components: workers, readiness: { broker: rabbit.ping } },
  );
  const opened = [database, clients.component, openChannels];
  return { components: [...opened, ...components], telemetry, http, inbox, directory, deliveries: delivery.loops, db };
}
