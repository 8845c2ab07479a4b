import { clientFields, consumerFields, databaseEnv, fields, serviceFields } from '@taskwire/env';
import { z } from 'zod';

/** An address as in mail headers, on one line. */
const mailFrom = z
  .string()
  .regex(/^[^\r\n]*?<?[^\s<>@]+@[^\s<>@]+>?$/, 'must be an address such as Taskwire <no-reply@example.com>');

export const env = databaseEnv.extend({
  ...serviceFields,
  ...clientFields,
  ...consumerFields,
  PORT: fields.port.default(3003),
  // two statements per notification and one per request, all short: ten connections serve hundreds per second
  DATABASE_POOL_SIZE: fields.integer(2, 200).default(10),
  /** The issuer whose access tokens are accepted. */
  ISSUER: fields.httpUrl.default('http://localhost:8080/oidc'),
  AUTH_INTERNAL_URL: fields.httpUrl.default('http://127.0.0.1:3001'),
  TASKS_INTERNAL_URL: fields.httpUrl.default('http://127.0.0.1:3002'),
  SMTP_URL: fields.smtpUrl,
  // within the limit that relays set for one client by default (Postfix: 50 connections per client, 20 per destination)
  SMTP_CONNECTIONS: fields.integer(1, 50).default(5),
  // no one reads more mails than this in an hour, and every task notification is also in the app
  MAILS_PER_RECIPIENT: fields.integer(1, 1_000_000).default(100),
  // applies separately to requested links and to account warnings; a user who can't find the last mail may request another one a few times
  ACCOUNT_MAILS_PER_RECIPIENT: fields.integer(1, 1_000_000).default(10),
  // large enough for a manager who assigns a few hundred tasks at once
  MAILS_PER_CALLER: fields.integer(1, 1_000_000).default(1_000),
  MAIL_WINDOW_MS: fields.milliseconds.default(3_600_000),
  // a year; older events are still in the task's activity log
  NOTIFICATION_DAYS: fields.integer(1, 3_650).default(365),
  MAIL_FROM: mailFrom.describe('the sender of e-mails, such as Taskwire <no-reply@example.com>'),
  /** The public address of the suite, and the base URL of links in e-mails. */
  PUBLIC_URL: fields.httpUrl.default('http://localhost:8080'),
});

export type Env = z.output<typeof env>;
