import { linkNotValid, workingLink, type AccountLinks } from './account-links.ts';
import type { Origin } from './audit.ts';
import type { LinkTokens } from './link-tokens.ts';
import { hashOfNew } from './hash-of-new.ts';
import type { Limits, Passwords, Users } from './ports.ts';

type Parts = { links: AccountLinks; linkTokens: LinkTokens; passwords: Passwords; users: Users; limits: Limits };

/** Sets a new password by a mailed link, and ends all access from before. @throws Problem `link_not_valid`, `weak_password`. */
export function resetPassword(parts: Parts) {
  const find = workingLink(parts);
  return async (
    { token, new_password: password }: { token: string; new_password: string },
    origin: Origin,
  ): Promise<void> => {
    // looked at first because hashing is dear; using it decides
    const link = await find(token, 'reset_password');
    const user = await parts.users.find(link.userId);
    if (user === undefined) throw linkNotValid('unknown');
    const hash = await hashOfNew(parts.passwords, 'new_password', password, user);
    const result = await parts.links.resetPassword(link.id, hash, origin);
    if (result !== 'done') throw linkNotValid(result);
    // the way in for an owner whose account others guess at
    await parts.limits.trust(origin, link.email);
  };
}
