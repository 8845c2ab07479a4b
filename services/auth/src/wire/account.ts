import type { Database } from '@taskwire/postgres';
import { usableLink } from '../app/account-links.ts';
import { requestMail } from '../app/request-mail.ts';
import type { Audit } from '../app/ports/audit.ts';
import type { CheckPassword } from '../app/authenticate.ts';
import { changePassword } from '../app/change-password.ts';
import { confirmEmail } from '../app/confirm-email.ts';
import type { DeviceCookies } from '../app/device-cookies.ts';
import { isHolder as createIsHolder, isHolderOfLink } from '../app/link-visitor.ts';
import type { StartSession } from '../app/log-in.ts';
import { logOutEverywhere } from '../app/log-out-everywhere.ts';
import type { Limits } from '../app/ports/limits.ts';
import type { Passwords } from '../app/ports/passwords.ts';
import type { Users } from '../app/ports/users.ts';
import { readAccountLink } from '../app/read-account-link.ts';
import { resetPassword, setPasswordByLink } from '../app/reset-password.ts';
import { undoEmailChange } from '../app/undo-email-change.ts';
import { verifyEmail } from '../app/verify-email.ts';
import type { Env } from '../env.ts';
import type { AccountUseCases } from '../http/account-routes.ts';
import { createAccountLinks } from '../postgres/account-links.ts';
import { createLinkReadings } from '../postgres/link-readings.ts';
import { createMailRequests } from '../postgres/mail-requests.ts';
import { accountPages } from '../oidc/account-pages.ts';
import { browserUser } from '../oidc/browser-user.ts';
import type { Providers } from '../oidc/provider.ts';
import { derivedKey } from '../tokens/derived-keys.ts';
import type { RegistrationParts } from './registration.ts';
import { userSettings } from './storage.ts';

export type AccountParts = {
  db: Database;
  users: Users;
  passwords: Passwords;
  limits: Limits;
  audit: Audit;
  deviceCookies: DeviceCookies;
  providers: Providers;
  startSession: StartSession;
  checkPassword: CheckPassword;
  registration: RegistrationParts;
};

/** Wires everything that happens to an existing account: verification, passwords, ending all sessions. */
export function wireAccount(env: Env, parts: AccountParts) {
  const { db } = parts;
  const settings = userSettings(env);
  const links = createAccountLinks({ db, ...settings });
  const { linkTokens, invitations } = parts.registration;
  const isHolder = createIsHolder(parts);
  const common = { ...parts, links, linkTokens, isHolder };
  const useCases: AccountUseCases = {
    requestMail: requestMail({ ...parts, mailRequests: createMailRequests(db) }),
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
  const pages = accountPages({
    issuer: env.ISSUER,
    formKey: derivedKey(env.KEY_ENCRYPTION_SECRET, 'forms'),
    actions: { ...useCases, checkLink: usableLink(common), isHolder: isHolderOfLink(common) },
    browserUser: browserUser(parts.providers),
    others: [parts.registration.page],
  });
  return { useCases, pages };
}
