import { randomBytes } from 'node:crypto';
import { linkNotValid } from '../domain/account-link.ts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import { usableLink, type AccountLinks } from './account-links.ts';
import { knownCallerTurn } from './hash-new-password.ts';
import type { LinkTokens } from './link-tokens.ts';
import type { Passwords } from './ports/passwords.ts';

type Parts = { links: AccountLinks; linkTokens: LinkTokens; passwords: Passwords };

/**
 * Restores an account's old address. The person who changed the address knew the password and may have changed it too, so the account has no usable
 * password until the owner of the old address sets one. Returns the token of the link for setting the password, or undefined if the undo link was
 * used before.
 * @throws Problem `link_not_valid`.
 */
export function undoEmailChange({ links, linkTokens, passwords }: Parts) {
  const find = usableLink({ links, linkTokens });
  return async ({ token }: { token: string }, origin: RequestOrigin): Promise<{ resetToken: string } | undefined> => {
    const link = await find(token, 'undo_email');
    if (link.end === 'used') return undefined;
    // a random password that is never disclosed
    const unusableHash = await passwords.hash(randomBytes(32).toString('base64url'), knownCallerTurn(link.userId));
    const result = await links.undoEmailChange(link.id, unusableHash, origin);
    if (result === 'used') return undefined;
    if (typeof result === 'string') throw linkNotValid(result);
    return { resetToken: linkTokens.tokenOf({ id: result.resetLinkId, purpose: 'reset_password' }) };
  };
}
