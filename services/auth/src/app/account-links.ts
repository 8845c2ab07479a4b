import { problem } from '@taskwire/errors';
import type { Origin } from './audit.ts';
import type { LinkTokens } from './link-tokens.ts';

/** What a mailed link is for. */
export type LinkPurpose = 'verify_email' | 'reset_password';

/** Why a link does not work (any more). */
export type LinkEnd =
  'used' | 'expired' | 'superseded' | 'email_changed' | 'password_changed' | 'user_deleted' | 'unknown';

/** A link that is mailed, as it is now. */
export type AccountLink = {
  id: string;
  userId: string;
  purpose: LinkPurpose;
  /** The address that it is for. */
  email: string;
  expiresAt: string;
  /** Null while it works. */
  end: LinkEnd | null;
};

/** Where links are kept. A use and what it changes become true together; of any number of uses of a link one wins, the others get its end. */
export type AccountLinks = {
  find(id: string): Promise<AccountLink | undefined>;
  verifyEmail(id: string, origin: Origin): Promise<LinkEnd | 'done'>;
  /** Sets the password, and ends all access that was given before. */
  resetPassword(id: string, passwordHash: string, origin: Origin): Promise<LinkEnd | 'done'>;
};

/** Where it is kept that somebody wants a mail. Whose address it is, is found out later, by somebody else: nothing here depends on it. */
export type MailRequests = {
  add(request: { purpose: LinkPurpose; email: string; origin: Origin }): Promise<void>;
};

const meanings: Readonly<Record<LinkEnd, string>> = {
  used: 'It was used already.',
  expired: 'Its time is over.',
  superseded: 'A newer one was sent.',
  email_changed: 'The address of the account has changed.',
  password_changed: 'The password has been changed in the meantime.',
  user_deleted: 'The account was deleted.',
  unknown: 'It is not one that was sent.',
};

/** Why a link does not work, in a sentence. */
export function linkEndText(end: LinkEnd): string {
  return meanings[end];
}

export function linkNotValid(end: LinkEnd) {
  return problem('link_not_valid', `${linkEndText(end)} Ask for a new one.`);
}

/** A link that works, by its token. @throws Problem `link_not_valid`. */
export function workingLink({ links, linkTokens }: { links: AccountLinks; linkTokens: LinkTokens }) {
  return async (token: string, purpose: LinkPurpose): Promise<AccountLink> => {
    const id = linkTokens.idOf(token, purpose);
    const link = id === undefined ? undefined : await links.find(id);
    if (link === undefined) throw linkNotValid('unknown');
    if (link.end !== null) throw linkNotValid(link.end);
    return link;
  };
}
