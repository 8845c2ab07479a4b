import { Problem } from '@taskwire/errors';
import { accessPeriodOf } from '../domain/access-period.ts';
import { linkNotValid } from '../domain/account-link.ts';
import { usableLink, type AccountLinks } from './account-links.ts';
import type { Audit } from './ports/audit.ts';
import type { CheckPassword } from './authenticate.ts';
import { requireCurrentPassword } from './current-password.ts';
import type { LinkTokens } from './link-tokens.ts';
import type { IsHolder, LinkVisitor } from './link-visitor.ts';
import type { Limits } from './ports/limits.ts';
import type { StoredUser, Users } from './ports/users.ts';

type Parts = {
  links: AccountLinks;
  linkTokens: LinkTokens;
  users: Users;
  limits: Limits;
  audit: Audit;
  checkPassword: CheckPassword;
  isHolder: IsHolder;
};

/**
 * Replaces the address of an account with the one to which the link was mailed. Access to that mailbox is not enough: its owner could adopt the
 * account of a stranger, who knows the password and could undo the change from the old address. An admin who requested the change vouches for the new
 * address, as the user may have lost the password together with the old address.
 * @throws Problem `link_not_valid`; `current_password_required` and `wrong_password`, which leave the link unused.
 */
export function confirmEmail(parts: Parts) {
  const find = usableLink(parts);
  const requirePassword = requireCurrentPassword(parts.checkPassword);

  async function requireHolder(user: StoredUser, password: string | undefined, visitor: LinkVisitor): Promise<void> {
    if (parts.isHolder(visitor, user)) return;
    try {
      await requirePassword(user, password, visitor.origin);
    } catch (error) {
      if (error instanceof Problem && error.code === 'wrong_password') {
        const subject = { kind: 'user', id: user.id } as const;
        const refusal = {
          actor: null,
          action: 'email.change',
          origin: visitor.origin,
          subject,
          reason: error.code,
        } as const;
        await parts.audit.recordRefusal(refusal);
      }
      throw error;
    }
  }

  return async (
    given: { token: string; current_password?: string | undefined },
    visitor: LinkVisitor,
  ): Promise<void> => {
    const link = await find(given.token, 'confirm_email');
    if (link.end === 'used') return;
    const user = await parts.users.find(link.userId);
    if (user === undefined) throw linkNotValid('unknown');
    if (link.requested?.by !== 'admin') await requireHolder(user, given.current_password, visitor);
    const result = await parts.links.confirmEmail(link.id, visitor.origin);
    if (result === 'used') return;
    if (result !== 'done') throw linkNotValid(result);
    await parts.limits.rememberNetwork(visitor.origin, accessPeriodOf(user));
  };
}
