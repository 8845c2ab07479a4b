import { createLoop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import { workingLink } from './app/account-links.ts';
import { askForMail } from './app/ask-for-mail.ts';
import type { Audit } from './app/audit.ts';
import { checkPassword } from './app/authenticate.ts';
import { changePassword } from './app/change-password.ts';
import { linkTokens as createLinkTokens } from './app/link-tokens.ts';
import type { StartSession } from './app/log-in.ts';
import { logOutEverywhere } from './app/log-out-everywhere.ts';
import type { Limits, Passwords, Users } from './app/ports.ts';
import { readAccountLink } from './app/read-account-link.ts';
import { resetPassword } from './app/reset-password.ts';
import { verifyEmail } from './app/verify-email.ts';
import type { CommandEnv, Env } from './env.ts';
import type { AccountUseCases } from './http/account-routes.ts';
import type { LinkLifetimes } from './postgres/account-link-rows.ts';
import { createAccountLinks } from './postgres/account-links.ts';
import { answerMailRequests, createMailRequests } from './postgres/mail-requests.ts';
import { accountPages } from './provider/account-pages.ts';
import { derivedKey } from './tokens/derived-keys.ts';

/** Whoever asked for a mail waits for it. Nothing wakes this: what followed a request at once could be timed by who sent it. */
const mailRequestIntervalMs = 1_000;

export type AccountParts = {
  db: Database;
  users: Users;
  passwords: Passwords;
  limits: Limits;
  audit: Audit;
  startSession: StartSession;
  logger: Logger;
  /** Called once events were committed, as a hint to publish them. */
  onEvents: () => void;
};

/** What happens to an account after it was made: verification, passwords, the end of all sessions. */
export function wireAccount(env: Env, parts: AccountParts) {
  const { db, logger, onEvents } = parts;
  const lifetimes = linkLifetimes(env);
  const links = createAccountLinks({ db, lifetimes, onEvents });
  const linkTokens = createLinkTokens(derivedKey(env.KEY_ENCRYPTION_SECRET, 'account links'));
  const useCases: AccountUseCases = {
    askForMail: askForMail({ ...parts, mailRequests: createMailRequests(db) }),
    verifyEmail: verifyEmail({ links, linkTokens }),
    resetPassword: resetPassword({ ...parts, links, linkTokens }),
    changePassword: changePassword({ ...parts, checkPassword: checkPassword(parts) }),
    logOutEverywhere: logOutEverywhere(parts),
    readAccountLink: readAccountLink({ links, linkTokens, pagesUrl: `${env.ISSUER}/account` }),
  };
  const mailRequests = createLoop({
    name: 'mail requests',
    tick: async () => await answerMailRequests({ db, lifetimes, onEvents }),
    intervalMs: mailRequestIntervalMs,
    logger,
  });
  const pages = accountPages({
    issuer: env.ISSUER,
    formKey: derivedKey(env.KEY_ENCRYPTION_SECRET, 'forms'),
    actions: { ...useCases, checkLink: workingLink({ links, linkTokens }) },
  });
  return { useCases, pages, mailRequests };
}

export function linkLifetimes(env: CommandEnv): LinkLifetimes {
  return { verify_email: env.EMAIL_VERIFICATION_SECONDS, reset_password: env.PASSWORD_RESET_SECONDS };
}
