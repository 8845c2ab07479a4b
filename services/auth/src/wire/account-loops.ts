import { createLoop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { Env } from '../env.ts';
import { keepAccountSchedule } from '../postgres/account-schedule.ts';
import { processMailRequests } from '../postgres/mail-requests.ts';
import { userSettings } from './storage.ts';

/**
 * Short, because the requester is waiting for the mail. Requests do not wake this worker, because the sender of a request could otherwise measure the
 * time of the work that follows.
 */
const mailRequestIntervalMs = 1_000;
/** Work that is due after days or months needs no precision of minutes. */
const accountScheduleIntervalMs = 600_000;

/** The background work on single accounts. */
export function wireAccountLoops(env: Env, { db, logger }: { db: Database; logger: Logger }) {
  const settings = userSettings(env);
  return {
    mailRequests: createLoop({
      name: 'mail requests',
      tick: async () => await processMailRequests({ db, lifetimes: settings.lifetimes }),
      intervalMs: mailRequestIntervalMs,
      logger,
    }),
    accountSchedule: createLoop({
      name: 'account schedule',
      tick: async () =>
        await keepAccountSchedule({
          ...{ db, ...settings },
          unverifiedDays: env.UNVERIFIED_ACCOUNT_DAYS,
          keepUnverified: env.AUTH_REQUIRE_VERIFIED_EMAIL ? 'none' : 'logged_in',
        }),
      intervalMs: accountScheduleIntervalMs,
      logger,
    }),
  };
}
