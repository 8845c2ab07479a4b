import type { Component } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { sends, type Channel } from '../app/channel.ts';
import { deliveryLoop } from '../app/deliver.ts';
import type { MailBudgetSettings } from '../app/mail-budget.ts';
import type { FindAccountHolder, FindLink, FindTaskNow, FindUser } from '../app/ports.ts';
import { recheck } from '../app/recheck.ts';
import { email } from '../channels/email/email.ts';
import { inApp } from '../channels/in-app.ts';
import type { Env } from '../env.ts';
import { deliveryLog } from '../postgres/deliveries.ts';
import { deliveryMetrics } from '../postgres/delivery-metrics.ts';
import { mailBudget } from '../postgres/mail-budget.ts';
import { inContextOf } from './delivery-context.ts';

/** The maximum delay of a delivery, in milliseconds. A second is soon enough for an e-mail, and a check costs only one index probe. */
const deliveryPollMs = 1_000;

type Lookups = { findUser: FindUser; findAccountHolder: FindAccountHolder; findLink: FindLink };

/** Wires the channels. Each channel is one file and one entry in the list. */
export function wireChannels(env: Env, db: Database, lookups: Lookups) {
  const mail = email({
    smtpUrl: env.SMTP_URL,
    from: env.MAIL_FROM,
    publicUrl: env.PUBLIC_URL,
    budget: mailBudget(db.pool, budgetsOf(env)),
    connections: env.SMTP_CONNECTIONS,
    ...lookups,
  });
  const channels: readonly Channel[] = [inApp, mail];
  // needs no start, but must be closed at the end
  const component: Component = {
    name: 'channels',
    start: async () => undefined,
    stop: async () => mail.close(),
  };
  return { channels, component };
}

/** One delivery loop for each channel that sends. */
export function wireDelivery(
  env: Env,
  needs: {
    db: Database;
    channels: readonly Channel[];
    findTaskNow: FindTaskNow;
    findUser: FindUser;
    telemetry: Telemetry;
  },
) {
  const { db, channels, findTaskNow, findUser, telemetry } = needs;
  const log = deliveryLog(db.pool);
  const ended = deliveryMetrics(telemetry.metrics, db.pool);
  const loops = channels.filter(sends).map((channel) =>
    deliveryLoop({
      log,
      channel,
      recheck: recheck({ findTaskNow, findUser }),
      concurrency: env.SMTP_CONNECTIONS,
      intervalMs: deliveryPollMs,
      telemetry: { logger: telemetry.logger, ended, inContextOf },
    }),
  );
  return { loops, wake: () => loops.forEach((loop) => loop.wake()) };
}

function budgetsOf(env: Env): MailBudgetSettings {
  const account = env.ACCOUNT_MAILS_PER_RECIPIENT;
  return {
    // Auth's limit for address changes of an account is lower than this
    perRecipient: { task: env.MAILS_PER_RECIPIENT, link: account, security: account, undo: env.MAILS_PER_RECIPIENT },
    perCaller: env.MAILS_PER_CALLER,
    windowMs: env.MAIL_WINDOW_MS,
  };
}
