import type { Database } from '@taskwire/postgres';
import type { Audit } from '../app/ports/audit.ts';
import type { DeviceCookies } from '../app/device-cookies.ts';
import { invite, revokeInvitation } from '../app/invitations.ts';
import { linkTokens as createLinkTokens } from '../app/link-tokens.ts';
import type { Limits } from '../app/ports/limits.ts';
import type { Passwords } from '../app/ports/passwords.ts';
import type { Users } from '../app/ports/users.ts';
import { register as createRegister } from '../app/register.ts';
import { registration as createRegistration } from '../app/registration.ts';
import type { Env } from '../env.ts';
import { invitationRoutes } from '../http/invitation-routes.ts';
import { createInvitations } from '../postgres/invitations.ts';
import { invitationPage } from '../oidc/invitation-page.ts';
import { derivedKey } from '../tokens/derived-keys.ts';

type Parts = {
  db: Database;
  users: Users;
  passwords: Passwords;
  limits: Limits;
  deviceCookies: DeviceCookies;
  audit: Audit;
};

export type RegistrationParts = ReturnType<typeof wireRegistration>;

/** Wires the creation of accounts: registration and invitations. */
export function wireRegistration(env: Env, parts: Parts) {
  const { db } = parts;
  const policy = { mode: env.REGISTRATION, domains: env.REGISTRATION_DOMAINS };
  const invitations = createInvitations({ db, lifetimeSeconds: env.INVITATION_SECONDS });
  const linkTokens = createLinkTokens(derivedKey(env.KEY_ENCRYPTION_SECRET, 'account links'));
  const registration = createRegistration({ policy, invitations, linkTokens });
  const register = createRegister({ ...parts, registration });
  const useCases = {
    invite: invite({ ...parts, invitations, policy }),
    revokeInvitation: revokeInvitation({ invitations }),
  };
  return {
    policy,
    register,
    invitations,
    linkTokens,
    routes: invitationRoutes(useCases, invitations),
    page: invitationPage({ register, openInvitation: registration.openInvitation }),
  };
}
