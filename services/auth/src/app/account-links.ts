import { problem, type Problem } from '@taskwire/errors';
import type { AccessPeriod } from './access-period.ts';
import type { Origin } from './audit.ts';
import type { LinkTokens } from './link-tokens.ts';

/** What a mailed link is for. */
export type LinkPurpose = 'verify_email' | 'reset_password' | 'confirm_email' | 'undo_email';

/** Links that anybody may have mailed to an address, without being logged in. */
export type RequestablePurpose = 'verify_email' | 'reset_password';

/** What a mailed token is for: a link of an account, or an invitation to make one. */
export type TokenPurpose = LinkPurpose | 'invitation';

/** Why a link does not work (any more). */
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

/** Who caused the mail of a link: by registering, as an admin, as the logged-in account holder, or without logging in. */
export type RequestedBy = 'registration' | 'admin' | 'account_holder' | 'anyone';

/** What the reader of a mail learns about the request that caused it. Nothing in it is text of the caller. */
export type LinkRequest = {
  at: string;
  by: RequestedBy;
  network: string | null;
  browser: string | null;
};

/** A link that is mailed, as it is now. */
export type AccountLink = {
  id: string;
  userId: string;
  purpose: LinkPurpose;
  /** The address that it is for. */
  email: string;
  createdAt: string;
  expiresAt: string;
  /** Undefined for a link made by a version that did not record it. */
  requested: LinkRequest | undefined;
  /** When somebody registered the account, while its address has never been verified; undefined for any other account. */
  unverifiedSince: string | undefined;
  /** Null while it works. */
  end: LinkEnd | null;
};

/** Where links are kept. A use and what it changes become true together; of any number of uses of a link one wins, the others get its end. */
export type AccountLinks = {
  find(id: string): Promise<AccountLink | undefined>;
  verifyEmail(id: string, origin: Origin): Promise<LinkEnd | 'done'>;
  /** Sets the password, verifies the address, and ends all access that was given before. Returns the access period that begins. */
  resetPassword(id: string, passwordHash: string, origin: Origin): Promise<LinkEnd | AccessPeriod>;
  /** Makes the address of the link the account's, and asks for the mail that lets the old address undo it. */
  confirmEmail(id: string, origin: Origin): Promise<LinkEnd | 'done'>;
  /**
   * Gives the account the address of the link back, with `unusableHash` in place of its password, ends all access, pending changes and the
   * undo links of later addresses, and asks for the mail of the reset link that it gives.
   */
  undoEmailChange(id: string, unusableHash: string, origin: Origin): Promise<LinkEnd | { resetLinkId: string }>;
};

/** Where it is kept that somebody wants a mail. Whose address it is, is found out later, by somebody else: nothing here depends on it. */
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

/** Why a link does not work, in a sentence. */
export function linkEndText(end: LinkEnd): string {
  return meanings[end];
}

export function linkNotValid(end: LinkEnd) {
  return problem('link_not_valid', `${linkEndText(end)} Ask for a new one.`);
}

/** Whether a link is refused because it has done its work. */
export function isOfUsedLink({ code, detail }: Problem): boolean {
  return code === 'link_not_valid' && detail.startsWith(meanings.used);
}

type Parts = { links: AccountLinks; linkTokens: LinkTokens };

/**
 * The link of a token that works, or has done its work: using a link twice is no mistake that anybody has to be told of.
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
