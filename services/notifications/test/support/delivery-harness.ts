import { randomUUID, randomUUIDv7 } from 'node:crypto';
import type { Loop } from '@taskwire/lifecycle';
import { query } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, testMail, type TestDatabase, type TestMail } from '@taskwire/testing';
import { notificationBuilder, type BuildNotification } from '../../src/app/build-notification.ts';
import { deliveryLoop } from '../../src/app/deliver.ts';
import type { DeliveryLog } from '../../src/app/delivery-log.ts';
import type { MailBudgetSettings } from '../../src/app/mail-budget.ts';
import type { NotificationType } from '../../src/app/notification-types.ts';
import type { FindLink, FindUser, FindTaskNow } from '../../src/app/ports.ts';
import { inContextOf } from '../../src/wire/delivery-context.ts';
import { recheck } from '../../src/app/recheck.ts';
import { contentInApp } from '../../src/app/notifications/definitions.ts';
import { email } from '../../src/channels/email/email.ts';
import { inApp } from '../../src/channels/in-app.ts';
import { migrations } from '../../src/migrations.ts';
import { deliveryLog } from '../../src/postgres/deliveries.ts';
import { mailBudget } from '../../src/postgres/mail-budget.ts';
import { writeNotifications } from '../../src/postgres/notifications.ts';
import { scriptedSmtp, type ScriptedSmtp } from './scripted-smtp.ts';

const { logger } = createTelemetry({ service: 'test', stream: silent() });

const generous: MailBudgetSettings = {
  perRecipient: { task: 1_000, link: 1_000, security: 1_000, undo: 1_000 },
  perCaller: 1_000,
  windowMs: 3_600_000,
};

const unknownTask: FindTaskNow = async () => ({ now: undefined, uncertainty: null });

/** A link as Auth returns it. */
export const openLink = {
  kind: 'link',
  email: 'ann.new@taskwire.test',
  link: 'http://localhost:8080/oidc/account/verify?token=twl_the-token-of-the-link',
  expiresAt: '2026-11-21T20:15:00.000000Z',
} as const;

export type DeliveryRow = { id: string; state: string; next_attempt_at: Date | null; last_error: string | null };

type About = { title: string; actorId: string; userId: string; taskId: string; happenedAt: string };

export type DeliveryHarness = {
  readonly database: TestDatabase;
  readonly log: DeliveryLog;
  /** An SMTP server that follows a script; new for each test. */
  readonly smtp: ScriptedSmtp;
  /** An SMTP server that behaves correctly. */
  readonly mail: TestMail;
  /** The user whom the directory returns for every id; Ann at the start of each test. */
  user: Awaited<ReturnType<FindUser>>;
  /** The current state of every task; at the start of each test, the task is unknown, without uncertainty. */
  taskNow: FindTaskNow;
  /** Auth's response to a request for a link; an open link at the start of each test. */
  link: (id: string, deliveryId: string) => ReturnType<FindLink>;
  /** The budgets of loops created from now on; generous at the start of each test. */
  budgets: MailBudgetSettings;
  buildNotification: BuildNotification;
  loopAt(smtpUrl: string): Loop;
  /** Writes one notification and returns its id. */
  notify(type: NotificationType, about?: Partial<About>): Promise<string>;
  /** The notification's e-mail delivery. */
  delivery(notificationId: string): Promise<DeliveryRow>;
  /** The outcomes of a notification's e-mail attempts, in order. */
  outcomes(notificationId: string): Promise<(string | null)[]>;
  /** Makes waiting deliveries due, as if their waiting time had passed. */
  makeDue(): Promise<void>;
};

/** Sets up a delivery loop with a separate database, for the tests of the enclosing describe. */
export function deliveryHarness(): DeliveryHarness {
  let database: TestDatabase;
  let smtp: ScriptedSmtp;
  let mail: TestMail;
  const closing: (() => void)[] = [];

  before(async () => {
    database = await testDatabase(migrations);
    mail = await testMail();
  });
  after(async () => {
    await mail.stop();
    await database.drop();
  });
  beforeEach(async () => {
    smtp = await scriptedSmtp();
    harness.link = async () => openLink;
    harness.taskNow = unknownTask;
    harness.user = {
      kind: 'user',
      id: randomUUIDv7(),
      name: 'Ann',
      email: 'ann@taskwire.test',
      isEmailVerified: true,
      isLeader: false,
    };
    harness.budgets = generous;
    await query(database.db.pool, 'TRUNCATE notifications CASCADE');
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    await smtp.stop();
  });

  function channelAt(smtpUrl: string) {
    const channel = email({
      smtpUrl,
      from: 'Taskwire <no-reply@taskwire.test>',
      publicUrl: 'http://localhost:8080',
      findUser: async () => harness.user,
      findAccountHolder: async () => harness.user,
      findLink: async (id, { deliveryId }) => await harness.link(id, deliveryId),
      budget: mailBudget(database.db.pool, harness.budgets),
      connections: 3,
    });
    closing.push(channel.close);
    return channel;
  }

  const harness: DeliveryHarness = {
    get database() {
      return database;
    },
    get log() {
      return deliveryLog(database.db.pool);
    },
    get smtp() {
      return smtp;
    },
    get mail() {
      return mail;
    },
    user: { kind: 'deleted', name: null, email: null, isEmailVerified: false },
    link: async () => openLink,
    taskNow: unknownTask,
    budgets: generous,
    buildNotification: (about) => notificationBuilder(contentInApp, [inApp, channelAt('smtp://127.0.0.1:1')])(about),
    loopAt: (smtpUrl) =>
      deliveryLoop({
        log: harness.log,
        channel: channelAt(smtpUrl),
        recheck: recheck({
          findTaskNow: async (id, asking) => await harness.taskNow(id, asking),
          findUser: async () => harness.user,
        }),
        concurrency: 3,
        intervalMs: 60_000,
        telemetry: { logger, ended: () => undefined, inContextOf },
      }),
    async notify(type, { title = 'Paint the fence', actorId = null, userId = randomUUIDv7(), ...about } = {}) {
      const eventId = randomUUID();
      const { taskId = randomUUIDv7(), happenedAt = null } = about;
      const task = { id: taskId, title, isDeleted: false };
      const templateData = { task, actor: 'Mia', recipient: 'Ann', linkId: randomUUIDv7() };
      const notification = harness.buildNotification({ eventId, userId, type, actorId, happenedAt, templateData });
      await database.db.transaction(async (tx) => await writeNotifications(tx, [notification]));
      const rows = await query<{ id: string }>(database.db.pool, 'SELECT id FROM notifications WHERE event_id = $1', [
        eventId,
      ]);
      return rows[0]!.id;
    },
    async delivery(notificationId) {
      const rows = await query<DeliveryRow>(
        database.db.pool,
        `SELECT id, state, next_attempt_at, last_error FROM deliveries WHERE notification_id = $1 AND channel = 'email'`,
        [notificationId],
      );
      return rows[0]!;
    },
    async outcomes(notificationId) {
      const rows = await query<{ outcome: string | null }>(
        database.db.pool,
        `SELECT outcome FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id
         WHERE d.notification_id = $1 AND d.channel = 'email' ORDER BY a.number`,
        [notificationId],
      );
      return rows.map((row) => row.outcome);
    },
    async makeDue() {
      await query(
        database.db.pool,
        'UPDATE deliveries SET next_attempt_at = clock_timestamp() WHERE next_attempt_at IS NOT NULL',
      );
    },
  };
  return harness;
}
