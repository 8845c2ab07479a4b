import { schemas, type Role } from '@taskwire/contracts';
import type { UserCache } from './cache.ts';

/** The claims of an access token about a user. */
type Claims = { userId: string; role: Role; emailVerified?: boolean | undefined; issuedAt: Date };

/** The standing of a user. `isRestricted`: the account may only access itself, since its address is not verified. */
type Standing = { role: Role; isRestricted?: true };

/**
 * Checks an access token against the directory. Returns the user's current standing, or `revoked` for a deleted user, a user whose deletion an event
 * claims, a token issued before `tokens_valid_after`, or a role unknown to this build. A user who is not in the directory yet is accepted with the
 * token's own claims, because the token was issued minutes ago at most. With `requireVerifiedEmail`, an address counts as verified only when the
 * directory says so or, if the directory does not know, the token does.
 */
export function createCheckUser(cache: UserCache, { requireVerifiedEmail }: { requireVerifiedEmail: boolean }) {
  function standing(role: Role, emailVerified: boolean | undefined): Standing {
    return requireVerifiedEmail && emailVerified !== true ? { role, isRestricted: true } : { role };
  }

  return async (claims: Claims): Promise<Standing | 'revoked'> => {
    const stored = await cache.find(claims.userId);
    if (stored === undefined) return standing(claims.role, claims.emailVerified);
    const { user, isDeletionClaimed, tokensValidAfter } = stored;
    if (isDeletionClaimed || user?.isDeleted === true) return 'revoked';
    if (tokensValidAfter !== null && claims.issuedAt < tokensValidAfter) return 'revoked';
    if (user === undefined) return standing(claims.role, claims.emailVerified);
    const role = schemas.role.safeParse(user.role);
    return role.success ? standing(role.data, user.emailVerified ?? claims.emailVerified) : 'revoked';
  };
}
