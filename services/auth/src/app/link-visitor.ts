import type { RequestOrigin } from '../domain/audit-context.ts';
import { accessPeriodOf } from '../domain/access-period.ts';
import type { DeviceCookies } from './device-cookies.ts';
import type { StoredUser, Users } from './ports/users.ts';

/** The visitor who uses a mailed link. */
export type LinkVisitor = {
  /** The account to which the visitor is logged in, by an access token of the JSON API or the session of the pages. */
  userId: string | undefined;
  origin: RequestOrigin;
};

/**
 * Whether a visitor has proven to be the holder of an account: they are logged in to it, or their device has logged in to it with its current
 * password. Reading the mails of an address proves neither, since anyone can register another person's address.
 */
export function isHolder({ deviceCookies }: { deviceCookies: Pick<DeviceCookies, 'isValid'> }) {
  return ({ userId, origin }: LinkVisitor, account: StoredUser): boolean =>
    userId === account.id || deviceCookies.isValid(origin.deviceCookie, accessPeriodOf(account));
}

export type IsHolder = ReturnType<typeof isHolder>;

/** Whether a visitor has proven to be the holder of the account for which a link was mailed. */
export function isHolderOfLink({ users, isHolder: check }: { users: Users; isHolder: IsHolder }) {
  return async (visitor: LinkVisitor, link: { userId: string }): Promise<boolean> => {
    const user = await users.find(link.userId);
    return user !== undefined && check(visitor, user);
  };
}
