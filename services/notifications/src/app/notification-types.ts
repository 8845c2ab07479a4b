import type { schemas } from '@taskwire/contracts';

/** A type of notification, as listed in the contract. */
export type NotificationType = (typeof schemas.notificationTypes)[number];

/**
 * Determines what happens to a delivery whose outcome is unknown:
 * - `keep_unknown`: it is not sent again. The in-app notification has the same content and appears exactly once, and people stop reading e-mails that
 *   arrive twice.
 * - `resend_once`: the delivery is sent once more under the same Message-ID, because the user cannot be reached in any other way.
 */
export type DeliveryPolicy = 'keep_unknown' | 'resend_once';

/**
 * The kind under which a mail is counted:
 * - `task`: a user acted on a task
 * - `link`: anyone may have requested it, for any address
 * - `security`: the account itself changed
 * - `undo`: the old address can recover the account; counted separately, because a thief can cause many other warnings
 */
export type MailKind = 'task' | 'link' | 'security' | 'undo';

/** The data with which texts are filled in, stored with the notification. */
export type TemplateData = {
  /** Null when the notification isn't about a task. */
  task: { id: string; title: string; isDeleted: boolean } | null;
  /** The actor's name; null for the system itself, and for changes to accounts made on the command line. */
  actor: string | null;
  /** Whether the recipient is the actor. Only changes to accounts are also reported to the actor, as confirmation. */
  isOwnAct?: boolean | undefined;
  /** The name of the other user that the notification is about. */
  subject?: string | undefined;
  /** The recipient's current role. */
  role?: string | undefined;
  /** The time until which a deletion can be undone; null if it can't be undone. */
  restorableUntil?: string | null | undefined;
  /** The due date that the notification is about; `at` is UTC with microseconds. */
  due?: { at: string; timeZone: string | null; isAllDay: boolean } | undefined;
  /** The recipient's name; empty for a recipient without an account. */
  recipient: string;
  /** The id of a link; the link itself is created only when the mail is sent. */
  linkId?: string | undefined;
};
