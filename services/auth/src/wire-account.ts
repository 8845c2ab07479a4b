import { createLoop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import { usableLink } from './app/account-links.ts';
import { askForMail } from './app/ask-for-mail.ts';
import type { Audit } from './app/audit.ts';
import { checkPassword as createCheckPassword } from './app/authenticate.ts';
import { changePassword } from './app/change-password.ts';
import { confirmEmail } from './app/confirm-email.ts';
import type { DeviceProofs } from './app/device-proofs.ts';
import { isHolder as createIsHolder, isHolderOfLink } from './app/link-visitor.ts';
import type { StartSession } from './app/log-in.ts';
import { logOutEverywhere } from './app/log-out-everywhere.ts';
import type { Limits, Passwords, Users } from './app/ports.ts';
import { readAccountLink } from './app/read-account-link.ts';
import { resetPassword, setPasswordByLink } from './app/reset-password.ts';
import { undoEmailChange } from './app/undo-email-change.ts';
import { verifyEmail } from './app/verify-email.ts';
import type { CommandEnv, Env } from './env.ts';
import type { AccountUseCases } from './http/account-routes.ts';
import { keepAccountSchedule } from './postgres/account-schedule.ts';
import { createAccountLinks } from './postgres/account-links.ts';
import { createLinkReadings } from './postgres/link-readings.ts';
import { answerMailRequests, createMailRequests } from './postgres/mail-requests.ts';
import type { UserSettings } from './postgres/users.ts';
import { accountPages } from './oidc/account-pages.ts';
import { browserUser } from './oidc/browser-user.ts';
import type { Providers } from './oidc/provider.ts';
import { derivedKey } from './tokens/derived-keys.ts';
import type { RegistrationParts } from './wire-registration.ts';

/** Long enough to notice the mail about it after a holiday weekend, and short enough that a deletion soon takes effect. */
const defaultRestoreDays = 7;

/** The requester is waiting for the mail. Nothing wakes this worker: work directly after a request would let its sender measure the time. */
const mailRequestIntervalMs = 1_000;
/** Work that is due after a day or a month needs no precision of minutes. */
const accountScheduleIntervalMs = 600_000;

export type AccountParts = {
  db: Database;
  users: Users;
  passwords: Passwords;
  limits: Limits;
  audit: Audit;
  deviceProofs: DeviceProofs;
  providers: Providers;
  startSession: StartSession;
  registration: RegistrationParts;
  logger: Logger;
};

/** Wires everything that happens to an existing account: verification, passwords, ending all sessions. */
export function wireAccount(env: Env, parts: AccountParts) {
  const { db, logger } = parts;
  const settings = userSettings(env);
  const { lifetimes } = settings;
  const links = createAccountLinks({ db, ...settings });
  const { linkTokens, invitations } = parts.registration;
  const checkPassword = createCheckPassword(parts);
  const isHolder = createIsHolder(parts);
  const common = { ...parts, links, linkTokens, checkPassword, isHolder };
  const useCases: AccountUseCases = {
    askForMail: askForMail({ ...parts, mailRequests: createMailRequests(db) }),
    verifyEmail: verifyEmail({ ...common, setPasswordByLink: setPasswordByLink(common) }),
    confirmEmail: confirmEmail(common),
    undoEmailChange: undoEmailChange(common),
    resetPassword: resetPassword(common),
    changePassword: changePassword(common),
    logOutEverywhere: logOutEverywhere(parts),
    readAccountLink: readAccountLink({
      ...common,
      invitations,
      readings: createLinkReadings(db),
      pagesUrl: `${env.ISSUER}/account`,
      unverifiedAccountDays: env.UNVERIFIED_ACCOUNT_DAYS,
    }),
  };
  const mailRequests = createLoop({
    name: 'mail requests',
    tick: async () => await answerMailRequests({ db, lifetimes }),
    intervalMs: mailRequestIntervalMs,
    logger,
  });
  const accountSchedule = createLoop({
    name: 'account schedule',
    tick: async () =>
      await keepAccountSchedule({
        ...{ db, ...settings },
        unverifiedDays: env.UNVERIFIED_ACCOUNT_DAYS,
        keepUnverified: env.AUTH_REQUIRE_VERIFIED_EMAIL ? 'none' : 'logged_in',
      }),
    intervalMs: accountScheduleIntervalMs,
    logger,
  });
  const pages = accountPages({
    issuer: env.ISSUER,
    formKey: derivedKey(env.KEY_ENCRYPTION_SECRET, 'forms'),
    actions: { ...useCases, checkLink: usableLink(common), isHolder: isHolderOfLink(common) },
    browserUser: browserUser(parts.providers),
    others: [parts.registration.page],
  });
  return { useCases, pages, mailRequests, accountSchedule };
}

export function userSettings(env: CommandEnv): UserSettings {
  const { RESTORE_DELETED_USERS_DAYS: days = defaultRestoreDays, ERASE_DELETED_USERS_DAYS: mostDays } = env;
  return {
    lifetimes: {
      verify_email: env.EMAIL_VERIFICATION_SECONDS,
      reset_password: env.PASSWORD_RESET_SECONDS,
      confirm_email: env.EMAIL_VERIFICATION_SECONDS,
      undo_email: env.EMAIL_UNDO_SECONDS,
    },
    restoreDays: Math.min(days, mostDays),
  };
}
