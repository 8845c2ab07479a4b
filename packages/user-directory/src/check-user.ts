import { schemas, type Role } from '@taskwire/contracts';
import type { UserCache } from './cache.ts';

/** What an access token says of a user. */
type Claims = { userId: string; role: Role; emailVerified?: boolean | undefined; issuedAt: Date };

/** The standing of a user. `isRestricted`: the account may only reach itself, since its address is not verified. */
type Standing = { role: Role; isRestricted?: true };

/**
 * What an access token is worth by the directory: the standing now, or `revoked` for a deleted user, one of whom an event says so, a token from
 * before `tokens_valid_after`, a role that this build does not know. A user who has not arrived in the directory yet is taken by the token's own
 * word: it was issued minutes ago at most. With `requireVerifiedEmail`, an address counts as verified only when the directory or, where that does
 * not know, the token says so.
 */
export function createCheckUser(cache: UserCache, { requireVerifiedEmail }: { requireVerifiedEmail: boolean }) {
  function standing(role: Role, emailVerified: boolean | undefined): Standing {
    return requireVerifiedEmail && emailVerified !== true ? { role, isRestricted: true } : { role };
  }

  return async (claims: Claims): Promise<Standing | 'revoked'> => {
    const held = await cache.held(claims.userId);
    if (held === undefined) return standing(claims.role, claims.emailVerified);
    const { user, isDeletionClaimed, tokensValidAfter } = held;
    if (isDeletionClaimed || user?.isDeleted === true) return 'revoked';
    if (tokensValidAfter !== null && claims.issuedAt < tokensValidAfter) return 'revoked';
    if (user === undefined) return standing(claims.role, claims.emailVerified);
    const role = schemas.role.safeParse(user.role);
    return role.success ? standing(role.data, user.emailVerified ?? claims.emailVerified) : 'revoked';
  };
}
