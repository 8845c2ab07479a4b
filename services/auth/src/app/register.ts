import { problem } from '@taskwire/errors';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { Audit } from './ports/audit.ts';
import { withAuditedRefusals } from './audited-refusals.ts';
import { createUser } from './create-user.ts';
import type { DeviceCookies } from './device-cookies.ts';
import type { Limits } from './ports/limits.ts';
import type { Passwords } from './ports/passwords.ts';
import type { User, Users } from './ports/users.ts';
import type { Registration } from './registration.ts';

type Parts = {
  users: Users;
  passwords: Passwords;
  limits: Limits;
  deviceCookies: DeviceCookies;
  audit: Audit;
  registration: Registration;
};

type Account = { email: string; password: string; name: string; invitation_token?: string | undefined };

/** A new account, and the proof that its password was chosen on this device, as the value of Set-Cookie. */
type Registered = { user: User; deviceCookie: string };

/**
 * Registers an account, if the installation allows it. The role is always member. An invitation verifies the address at once. Whether the address
 * already has an account is revealed last, and only to callers who may register.
 */
export function register({ registration, ...parts }: Parts) {
  const create = createUser(parts);

  /** @throws Problem `link_not_valid`, `invitation_mismatch`. */
  async function invitationFor(email: string, token: string) {
    const invitation = await registration.openInvitation(token);
    if (invitation.email.toLowerCase() === email.toLowerCase()) return { invitationId: invitation.id };
    throw problem('invitation_mismatch', 'Register with the address that the invitation was sent to.', {
      errors: [{ field: 'email', code: 'invitation_mismatch', message: 'is not the address of the invitation' }],
    });
  }

  return async ({ invitation_token: token, ...account }: Account, origin: RequestOrigin): Promise<Registered> => {
    const context = { actor: null, origin, action: 'register' } as const;
    return await withAuditedRefusals(parts.audit, { ...context, subject: null }, async () => {
      registration.requireAdmission({ email: account.email, invitationToken: token });
      const turn = await parts.limits.register(origin.ip ?? '');
      const invited = token === undefined ? {} : await invitationFor(account.email, token);
      const newcomer = { ...account, ...invited, role: 'member', emailVerified: token !== undefined } as const;
      const user = await create(newcomer, context, turn);
      const period = { userId: user.id, tokensValidAfter: null };
      // the network on which the password was chosen becomes known to the account
      await parts.limits.rememberNetwork(origin, period);
      return { user, deviceCookie: parts.deviceCookies.cookieFor(period, account.email) };
    });
  };
}
