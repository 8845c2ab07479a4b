import type { AccessPeriod } from '../domain/access-period.ts';
import {
  linkNotValid,
  type AccountLink,
  type LinkEnd,
  type LinkPurpose,
  type RequestablePurpose,
} from '../domain/account-link.ts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { LinkTokens } from './link-tokens.ts';

/**
 * Storage of links. Consuming a link and the resulting change are committed together. Of any number of concurrent uses, only one succeeds; the others
 * get the reason why the link has ended.
 */
export type AccountLinks = {
  find(id: string): Promise<AccountLink | undefined>;
  verifyEmail(id: string, origin: RequestOrigin): Promise<LinkEnd | 'done'>;
  /** Sets the password, verifies the address, and ends all earlier access. Returns the new access period. */
  resetPassword(id: string, passwordHash: string, origin: RequestOrigin): Promise<LinkEnd | AccessPeriod>;
  /** Sets the link's address as the account's address, and requests the mail with which the old address can undo the change. */
  confirmEmail(id: string, origin: RequestOrigin): Promise<LinkEnd | 'done'>;
  /**
   * Restores the link's address on the account, sets `unusableHash` as the account's password, ends all access, pending changes and the undo links of
   * later addresses, and requests the mail of the returned reset link.
   */
  undoEmailChange(id: string, unusableHash: string, origin: RequestOrigin): Promise<LinkEnd | { resetLinkId: string }>;
};

/** Queue of requested mails. A worker looks up the account later, so the response doesn't depend on whether the address is registered. */
export type MailRequests = {
  add(request: { purpose: RequestablePurpose; email: string; origin: RequestOrigin }): Promise<void>;
};

type Parts = { links: AccountLinks; linkTokens: LinkTokens };

/**
 * Returns the link of a token if the link is valid or has been used: using a link twice is not reported as an error.
 * @throws Problem `link_not_valid`.
 */
export function usableLink({ links, linkTokens }: Parts) {
  return async (token: string, purpose: LinkPurpose): Promise<AccountLink> => {
    const id = linkTokens.idOf(token, purpose);
    const link = id === undefined ? undefined : await links.find(id);
    if (link === undefined) throw linkNotValid('unknown');
    if (link.end !== null && link.end !== 'used') throw linkNotValid(link.end);
    return link;
  };
}
