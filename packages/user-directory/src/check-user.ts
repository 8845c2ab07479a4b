import { schemas, type Role } from '@taskwire/contracts';
import type { UserCache } from './cache.ts';

/**
 * What an access token is worth by the directory: the role now, or `revoked` for a deleted user, a token from before `tokens_valid_after`,
 * a role that this build does not know. A user who has not arrived in the directory yet is taken by the token's own word: it was issued minutes ago at most.
 */
export function createCheckUser(cache: UserCache) {
  return async (claims: { userId: string; role: Role; issuedAt: Date }): Promise<{ role: Role } | 'revoked'> => {
    const user = await cache.get(claims.userId);
    if (user === undefined) return { role: claims.role };
    if (user.isDeleted) return 'revoked';
    if (user.tokensValidAfter !== null && claims.issuedAt < user.tokensValidAfter) return 'revoked';
    const role = schemas.role.safeParse(user.role);
    return role.success ? { role: role.data } : 'revoked';
  };
}
