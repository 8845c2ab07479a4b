import { linkNotValid, workingLink, type AccountLinks } from './account-links.ts';
import type { Origin } from './audit.ts';
import type { LinkTokens } from './link-tokens.ts';

/** Verifies the address that a link was mailed to. @throws Problem `link_not_valid`. */
export function verifyEmail(parts: { links: AccountLinks; linkTokens: LinkTokens }) {
  const find = workingLink(parts);
  return async ({ token }: { token: string }, origin: Origin): Promise<void> => {
    const result = await parts.links.verifyEmail((await find(token, 'verify_email')).id, origin);
    if (result !== 'done') throw linkNotValid(result);
  };
}
