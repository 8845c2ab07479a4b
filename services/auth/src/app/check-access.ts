import type { Role } from '@taskwire/contracts';
import type { Sessions } from './ports.ts';

/** What a user's access token is worth now. An account whose address has to be verified, and is not, only reaches itself. */
export function checkAccess({ sessions, requireVerifiedEmail }: { sessions: Sessions; requireVerifiedEmail: boolean }) {
  return async (
    claims: Parameters<Sessions['checkAccess']>[0],
  ): Promise<{ role: Role; isRestricted: boolean } | 'revoked'> => {
    const access = await sessions.checkAccess(claims);
    if (access === 'revoked') return access;
    return { role: access.role, isRestricted: requireVerifiedEmail && !access.emailVerified };
  };
}
