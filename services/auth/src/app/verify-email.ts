import { problem } from '@taskwire/errors';
import { linkNotValid } from '../domain/account-link.ts';
import { usableLink, type AccountLinks } from './account-links.ts';
import type { LinkVisitor, IsHolder } from './link-visitor.ts';
import type { LinkTokens } from './link-tokens.ts';
import { setPasswordByLink } from './reset-password.ts';
import type { Users } from './ports/users.ts';

type Parts = {
  links: AccountLinks;
  linkTokens: LinkTokens;
  users: Users;
  isHolder: IsHolder;
  setPasswordByLink: ReturnType<typeof setPasswordByLink>;
};

/**
 * Verifies the address to which a link was mailed. Someone who registered another person's address must not retain access to the account once its
 * owner verifies the address. Therefore a visitor who isn't logged in to the account sets its password, and everything started with the old password
 * ends.
 * @throws Problem `link_not_valid`, `weak_password`; `new_password_required`, which leaves the link unused.
 */
export function verifyEmail(parts: Parts) {
  const find = usableLink(parts);
  return async (given: { token: string; new_password?: string | undefined }, visitor: LinkVisitor): Promise<void> => {
    const link = await find(given.token, 'verify_email');
    if (given.new_password !== undefined) {
      return await parts.setPasswordByLink(link, given.new_password, visitor.origin);
    }
    if (link.end === 'used') return;
    const user = await parts.users.find(link.userId);
    if (user === undefined) throw linkNotValid('unknown');
    if (!parts.isHolder(visitor, user)) throw newPasswordRequired();
    const result = await parts.links.verifyEmail(link.id, visitor.origin);
    if (result !== 'done' && result !== 'used') throw linkNotValid(result);
  };
}

function newPasswordRequired() {
  return problem(
    'new_password_required',
    'Send new_password, which becomes the password of the account, or the access token of the account.',
    {
      errors: [
        {
          field: 'new_password',
          code: 'new_password_required',
          message: 'is required from a visitor who is not logged in to the account',
        },
      ],
    },
  );
}
