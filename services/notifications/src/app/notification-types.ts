import type { schemas } from '@taskwire/contracts';

/** The types of notifications, as listed in the contract. */
export type NotificationType = (typeof schemas.notificationTypes)[number];

/**
 * Determines what happens to a delivery whose outcome is unknown:
 * - `keep_unknown`: nothing. The in-app notification has the same content and appears exactly once, and people stop reading
 *   e-mails that arrive twice.
 * - `resend_once`: the delivery is sent once more under the same Message-ID, because there is no other way to reach the user.
 */
export type DeliveryPolicy = 'keep_unknown' | 'resend_once';

/**
 * The kind under which a mail is counted:
 * - `task`: a user acted on a task
 * - `link`: anyone may have requested it, for any address
 * - `security`: the account itself changed
 * - `undo`: the old address can recover the account; separate from other warnings, of which a thief can cause many
 */
export type MailKind = 'task' | 'link' | 'security' | 'undo';

/** The data that definitions are filled with, stored with the notification. */
export type TemplateData = {
  /** Null when the notification isn't about a task. */
  task: { id: string; title: string; isDeleted: boolean } | null;
  /** The actor's name; null for the system itself, and for account changes made on the command line. */
  actor: string | null;
  /** Whether the recipient is the actor. Only account changes are also reported to their actor, as confirmation. */
  isOwnAct?: boolean | undefined;
  /** The name of the other user that the notification is about. */
  subject?: string | undefined;
  /** The recipient's current role. */
  role?: string | undefined;
  /** The time until which a deletion can be undone; null if it can't be. */
  restorableUntil?: string | null | undefined;
  /** The recipient's name; empty for a recipient without an account. */
  recipient: string;
  /** The id of a link that is created when the mail is sent; never the link itself. */
  linkId?: string | undefined;
};
