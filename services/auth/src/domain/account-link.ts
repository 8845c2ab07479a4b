import { problem, type Problem } from '@taskwire/errors';

/** The purpose of a mailed link. */
export type LinkPurpose = 'verify_email' | 'reset_password' | 'confirm_email' | 'undo_email';

/** Purposes of links that anyone may have mailed to an address without being logged in. */
export type RequestablePurpose = 'verify_email' | 'reset_password';

/** The purpose of a mailed token: the purpose of an account link, or an invitation to create an account. */
export type TokenPurpose = LinkPurpose | 'invitation';

/** Why a link is not valid, or no longer valid. */
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

/** Details of the request that caused a mail, for the reader of the mail. They contain no caller-controlled text. */
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
  /** Undefined for a link created by a version that did not record this. */
  requested: LinkRequest | undefined;
  /** When the account was registered by its own user, if its address has never been verified; undefined for any other account. */
  unverifiedSince: string | undefined;
  /** Null while the link is valid. */
  end: LinkEnd | null;
};

const meanings: Readonly<Record<LinkEnd, string>> = {
  used: 'It was used already.',
  expired: 'It has expired.',
  revoked: 'It was revoked.',
  superseded: 'A newer one was sent.',
  email_changed: 'The address of the account has changed.',
  email_taken: 'The address can no longer be used for this account.',
  change_cancelled: 'The change of the address was cancelled.',
  access_ended: 'All sessions of the account were ended in the meantime.',
  password_changed: 'The password has been changed in the meantime.',
  user_deleted: 'The account was deleted.',
  read_twice: 'It was ended for safety, because it was read more than once.',
  unknown: 'It is not one that we sent.',
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
