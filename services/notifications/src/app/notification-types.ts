import type { schemas } from '@taskwire/contracts';

/** Types of notifications; the contract has the list. */
export type NotificationType = (typeof schemas.notificationTypes)[number];

/**
 * What a delivery whose outcome is unknown calls for:
 * - `notice`: left as it is. The in-app notification says the same and is exactly once, and a person who is told twice by e-mail stops
 *   reading them.
 * - `account`: sent once more, under the same Message-ID, because there is no second way to the person.
 */
export type DeliveryClass = 'notice' | 'account';

/** Classes that are sent once more when the outcome is unknown. */
export const sentAgainWhenUnknown: readonly DeliveryClass[] = ['account'];

/**
 * What a mail is counted as:
 * - `task`: somebody did something with a task
 * - `link`: anybody may have asked for it, for any address
 * - `security`: something happened to the account itself
 * - `undo`: the old address can take the account back; apart from the other warnings, of which a thief can cause many
 */
export type MailKind = 'task' | 'link' | 'security' | 'undo';

/** What happened, as every template is filled with it; kept with the notification. */
export type Facts = {
  /** Null where it is not about a task. */
  task: { id: string; title: string; isDeleted: boolean } | null;
  /** The name of who did it; null for the system itself, and of an account for the command line. */
  actor: string | null;
  /** Whether the recipient did it. Only what concerns accounts is also told those who did it, as a proof. */
  isOwnAct?: boolean;
  /** The name of the other user that it is about. */
  subject?: string;
  /** The role that the recipient has now. */
  role?: string;
  /** Until when a deletion can be taken back; null for never. */
  restorableUntil?: string | null;
  /** The name of the recipient; empty for somebody who has no account. */
  recipient: string;
  /** The id of a link that is made when the mail is sent; never the link. */
  linkId?: string;
};
