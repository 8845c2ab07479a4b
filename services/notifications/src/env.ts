import { fields } from '@taskwire/env';
import { z } from 'zod';

/** An address as mail headers have it, on one line. */
const mailFrom = z
  .string()
  .regex(/^[^\r\n]*?<?[^\s<>@]+@[^\s<>@]+>?$/, 'must be an address such as Taskwire <no-reply@example.com>');

/** What migrating needs of the environment. */
export const databaseEnv = z.object({ DATABASE_URL: fields.postgresUrl });

export const env = databaseEnv.extend({
  HOST: z.string().default('127.0.0.1'),
  PORT: fields.port.default(3003),
  // two statements for each notification and one for each request, all short: ten connections serve hundreds a second
  DATABASE_POOL_SIZE: fields.integer(2, 200).default(10),
  AMQP_URL: fields.amqpUrl,
  /** Asked as the login of AMQP_URL for what AMQP cannot say: policies of the queues, and bindings that were lost. */
  RABBITMQ_MANAGEMENT_URL: fields.httpUrl.optional(),
  EVENT_LOGINS: fields.eventLogins,
  EVENTS_WITHOUT_USER_ID: fields.eventsWithoutUserId,
  LOG_LEVEL: fields.logLevel.default('info'),
  /** Whose access tokens are accepted. */
  ISSUER: fields.httpUrl.default('http://localhost:8080/oidc'),
  AUTH_INTERNAL_URL: fields.httpUrl.default('http://127.0.0.1:3001'),
  TASKS_INTERNAL_URL: fields.httpUrl.default('http://127.0.0.1:3002'),
  CLIENT_ID: z.string().min(1).describe('the id of this service as a client of Auth'),
  /** Auth has the public part (OIDC_CLIENTS). */
  CLIENT_PRIVATE_KEY: fields.privateKey,
  TRUSTED_PROXIES: z
    .string()
    .default('loopback')
    .transform((list) => list.split(',').map((proxy) => proxy.trim())),
  /** Whether an account reaches only itself until its address is verified. All services have this setting, and need the same value. */
  AUTH_REQUIRE_VERIFIED_EMAIL: fields.flag.default(true),
  // Kubernetes grants 30 s, docker compose 10 s
  SHUTDOWN_TIMEOUT_MS: fields.milliseconds.default(8_000),
  /** api: serves requests; worker: hears events and delivers; all: both. */
  PROCESS_ROLE: z.enum(['all', 'api', 'worker']).default('all'),
  SMTP_URL: fields.smtpUrl,
  // as many connections as a relay grants one client without asking (Postfix: 50 a client, 20 a destination)
  SMTP_CONNECTIONS: fields.integer(1, 50).default(5),
  // half of what anybody reads in an hour is lost on them anyway, and everything about tasks is in the app
  MAILS_PER_RECIPIENT: fields.integer(1, 1_000_000).default(100),
  // links that are asked for, and warnings of the account, each: a person who cannot find the last mail asks for another a few times
  ACCOUNT_MAILS_PER_RECIPIENT: fields.integer(1, 1_000_000).default(10),
  // a manager may hand out a few hundred tasks at a time
  MAILS_PER_CALLER: fields.integer(1, 1_000_000).default(1_000),
  MAIL_WINDOW_MS: fields.milliseconds.default(3_600_000),
  // a year: who looks for an older one has the activity log of the task
  NOTIFICATION_DAYS: fields.integer(1, 3_650).default(365),
  MAIL_FROM: mailFrom.describe('who e-mails come from, such as Taskwire <no-reply@example.com>'),
  /** Where people find the suite; links in e-mails lead there. */
  PUBLIC_URL: fields.httpUrl.default('http://localhost:8080'),
});

export type Env = z.output<typeof env>;
