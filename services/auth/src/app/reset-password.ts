import { linkNotValid, workingLink, type AccountLinks } from './account-links.ts';
import type { Origin } from './audit.ts';
import type { LinkTokens } from './link-tokens.ts';
import type { Limits, Passwords } from './ports.ts';

type Parts = { links: AccountLinks; linkTokens: LinkTokens; passwords: Passwords; limits: Limits };

/** Sets a new password by a mailed link, and ends all access from before. @throws Problem `link_not_valid`. */
export function resetPassword(parts: Parts) {
  const find = workingLink(parts);
  return async (
    { token, new_password: password }: { token: string; new_password: string },
    origin: Origin,
  ): Promise<void> => {
    // looked at first because hashing is dear; using it decides
    const link = await find(token, 'reset_password');
    const result = await parts.links.resetPassword(link.id, await parts.passwords.hash(password), origin);
    if (result !== 'done') throw linkNotValid(result);
    // the way in for an owner whose account others guess at
    await parts.limits.trust(origin, link.email);
  };
}
