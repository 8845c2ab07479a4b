import type { Role } from '@taskwire/contracts';
import type { Sessions } from './ports/sessions.ts';

/**
 * Returns the current access of a user's token. An account whose address is unverified, although verification is required, can access only itself.
 */
export function checkAccess({ sessions, requireVerifiedEmail }: { sessions: Sessions; requireVerifiedEmail: boolean }) {
  return async (
    claims: Parameters<Sessions['checkAccess']>[0],
  ): Promise<{ role: Role; isRestricted: boolean } | 'revoked'> => {
    const access = await sessions.checkAccess(claims);
    if (access === 'revoked') return access;
    return { role: access.role, isRestricted: requireVerifiedEmail && !access.emailVerified };
  };
}
