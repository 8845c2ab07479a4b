import { problem, type Problem } from '@taskwire/errors';
import type { AccessPeriod } from './access-period.ts';
import type { Origin } from './audit.ts';
import type { LinkTokens } from './link-tokens.ts';

/** The purpose of a mailed link. */
export type LinkPurpose = 'verify_email' | 'reset_password' | 'confirm_email' | 'undo_email';

/** Purposes of links that anyone may have mailed to an address without being logged in. */
export type RequestablePurpose = 'verify_email' | 'reset_password';

/** The purpose of a mailed token: that of an account link, or an invitation to create an account. */
export type TokenPurpose = LinkPurpose | 'invitation';

/** Why a link is not valid (any more). */
export type LinkEnd =
  | 'used'
  | 'expired'
  | 'revoked'
  | 'superseded'
  | 'email_changed'
  | 'email_taken'
  | 'change_cancelled'
  | 'access_ended'
  | 'password_changed'
  | 'user_deleted'
  | 'read_twice'
  | 'unknown';

/** The cause of a link's mail: a registration, an admin, the logged-in account holder, or a caller who isn't logged in. */
export type RequestedBy = 'registration' | 'admin' | 'account_holder' | 'anyone';

/** Details of the request that caused a mail, for its reader. They contain no caller-controlled text. */
export type LinkRequest = {
  at: string;
  by: RequestedBy;
  network: string | null;
  browser: string | null;
};

/** The current state of a mailed link. */
export type AccountLink = {
  id: string;
  userId: string;
  purpose: LinkPurpose;
  /** The address that the link is for. */
  email: string;
  createdAt: string;
  expiresAt: string;
  /** Undefined for a link made by a version that did not record it. */
  requested: LinkRequest | undefined;
  /** When the account registered itself, if its address has never been verified; undefined for any other account. */
  unverifiedSince: string | undefined;
  /** Null while the link is valid. */
  end: LinkEnd | null;
};

/**
 * Storage of links. Consuming a link and the resulting change are committed together. Of any number of concurrent uses, one wins; the others get the
 * reason why the link has ended.
 */
export type AccountLinks = {
  find(id: string): Promise<AccountLink | undefined>;
  verifyEmail(id: string, origin: Origin): Promise<LinkEnd | 'done'>;
  /** Sets the password, verifies the address, and ends all earlier access. Returns the new access period. */
  resetPassword(id: string, passwordHash: string, origin: Origin): Promise<LinkEnd | AccessPeriod>;
  /** Sets the account's address to that of the link, and requests the mail that lets the old address undo the change. */
  confirmEmail(id: string, origin: Origin): Promise<LinkEnd | 'done'>;
  /**
   * Restores the link's address on the account, sets `unusableHash` as its password, ends all access, pending changes and the undo links of later
   * addresses, and requests the mail of the returned reset link.
   */
  undoEmailChange(id: string, unusableHash: string, origin: Origin): Promise<LinkEnd | { resetLinkId: string }>;
};

/** Queue of requested mails. A worker looks up the account later, so the response doesn't depend on whether the address is registered. */
export type MailRequests = {
  add(request: { purpose: RequestablePurpose; email: string; origin: Origin }): Promise<void>;
};

const meanings: Readonly<Record<LinkEnd, string>> = {
  used: 'It was used already.',
  expired: 'Its time is over.',
  revoked: 'It was revoked.',
  superseded: 'A newer one was sent.',
  email_changed: 'The address of the account has changed.',
  email_taken: 'The address can no longer be used for this account.',
  change_cancelled: 'The change of the address was cancelled.',
  access_ended: 'All sessions of the account were ended in the meantime.',
  password_changed: 'The password has been changed in the meantime.',
  user_deleted: 'The account was deleted.',
  read_twice: 'It was ended for safety, because it was read more than once.',
  unknown: 'It is not one that was sent.',
};

/** The reason why a link is not valid, as a sentence. */
export function linkEndText(end: LinkEnd): string {
  return meanings[end];
}

export function linkNotValid(end: LinkEnd) {
  return problem('link_not_valid', `${linkEndText(end)} Ask for a new one.`);
}

/** Whether a link is refused because it has already been used. */
export function isOfUsedLink({ code, detail }: Problem): boolean {
  return code === 'link_not_valid' && detail.startsWith(meanings.used);
}

type Parts = { links: AccountLinks; linkTokens: LinkTokens };

/**
 * Returns the link of a token if the link is valid or has been used: using a link twice is not an error that needs reporting.
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
