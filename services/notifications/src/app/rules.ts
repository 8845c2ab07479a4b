import type { EventPayload } from '@taskwire/contracts';
import type { DeliveryPolicy, MailKind, NotificationType } from './notification-types.ts';

/** The task events that cause notifications. */
export type NotifiedEventType =
  | 'tasks.task.assigned'
  | 'tasks.task.unassigned'
  | 'tasks.task.started'
  | 'tasks.task.completed'
  | 'tasks.task.cancelled';

/** The users who may be notified about a task: the user named in the event, or the task's creator. */
type Audience = 'named' | 'creator';

type Rule = {
  type: NotificationType;
  recipients: readonly Audience[];
  /**
   * Whether to notify if the task has since been deleted. Unassignment and completion still matter; new work doesn't.
   */
  whenDeleted: 'notify' | 'skip';
};

/** Who is notified of which event. The actor is never notified. */
export const rules: Readonly<Record<NotifiedEventType, Rule>> = {
  'tasks.task.assigned': { type: 'task.assigned', recipients: ['named'], whenDeleted: 'skip' },
  'tasks.task.unassigned': { type: 'task.unassigned', recipients: ['named'], whenDeleted: 'notify' },
  'tasks.task.started': { type: 'task.started', recipients: ['creator'], whenDeleted: 'skip' },
  'tasks.task.completed': { type: 'task.completed', recipients: ['creator'], whenDeleted: 'notify' },
  'tasks.task.cancelled': { type: 'task.cancelled', recipients: ['creator', 'named'], whenDeleted: 'notify' },
};

/** Whether deleting the task makes a notification of this type pointless. */
export function endsWithItsTask(type: NotificationType): boolean {
  return Object.values(rules).some((rule) => rule.type === type && rule.whenDeleted === 'skip');
}

/** The delivery class of each type, which determines what an unknown outcome requires. */
export const deliveryPolicies: Readonly<Record<NotificationType, DeliveryPolicy>> = {
  'task.assigned': 'keep_unknown',
  'task.unassigned': 'keep_unknown',
  'task.started': 'keep_unknown',
  'task.completed': 'keep_unknown',
  'task.cancelled': 'keep_unknown',
  'user.welcome': 'resend_once',
  'security.verify_email': 'resend_once',
  'security.reset_password': 'resend_once',
  'security.password_changed': 'resend_once',
  'security.confirm_email': 'resend_once',
  'security.email_change_requested': 'resend_once',
  'security.email_changed': 'resend_once',
  'security.invitation': 'resend_once',
  'security.role_changed': 'resend_once',
  'security.account_deleted': 'resend_once',
  'security.account_restored': 'resend_once',
  'security.admin_added': 'resend_once',
};

/** The kind under which the mails of each type are counted, if the type has mails. */
export const mailKinds: Readonly<Record<NotificationType, MailKind>> = {
  'task.assigned': 'task',
  'task.unassigned': 'task',
  'task.started': 'task',
  'task.completed': 'task',
  'task.cancelled': 'task',
  'user.welcome': 'security',
  'security.verify_email': 'link',
  'security.reset_password': 'link',
  'security.password_changed': 'security',
  'security.confirm_email': 'link',
  'security.email_change_requested': 'security',
  'security.email_changed': 'undo',
  'security.invitation': 'link',
  'security.role_changed': 'security',
  'security.account_deleted': 'security',
  'security.account_restored': 'security',
  'security.admin_added': 'security',
};

/** Whether a deleted user still receives this type, at their former address. Only the news of the deletion does. */
export function reachesTheDeleted(type: NotificationType): boolean {
  return type === 'security.account_deleted';
}

/**
 * The distinct users to notify of an event, without its actor. `creatorId` is undefined when the task is no longer
 * known.
 */
export function audienceOf<T extends NotifiedEventType>(
  eventType: T,
  event: EventPayload<T>,
  creatorId: string | undefined,
): string[] {
  const people: Readonly<Record<Audience, string | null | undefined>> = { named: namedIn(event), creator: creatorId };
  const ids = new Set(rules[eventType].recipients.map((audience) => people[audience]));
  return [...ids].filter((id): id is string => typeof id === 'string' && id !== event.actor);
}

function namedIn(event: EventPayload<NotifiedEventType>): string | null {
  return 'unassigned_from' in event ? event.unassigned_from : event.assigned_to;
}
