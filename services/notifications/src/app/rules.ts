import type { EventPayload } from '@taskwire/contracts';
import type { DeliveryClass, MailKind, NotificationType } from './notification-types.ts';

/** The task events that cause notifications. */
export type ToldEventType =
  | 'tasks.task.assigned'
  | 'tasks.task.unassigned'
  | 'tasks.task.started'
  | 'tasks.task.completed'
  | 'tasks.task.cancelled';

/** The users who may be notified about a task: the user named in the event, or the task's creator. */
type Audience = 'named' | 'creator';

type Rule = {
  type: NotificationType;
  tell: readonly Audience[];
  /**
   * Whether to notify if the task has since been deleted. Unassignment and completion still matter; new work doesn't.
   */
  whenDeleted: 'tell' | 'skip';
};

/** Who is notified of which event. The actor is never notified. */
export const rules: Readonly<Record<ToldEventType, Rule>> = {
  'tasks.task.assigned': { type: 'task.assigned', tell: ['named'], whenDeleted: 'skip' },
  'tasks.task.unassigned': { type: 'task.unassigned', tell: ['named'], whenDeleted: 'tell' },
  'tasks.task.started': { type: 'task.started', tell: ['creator'], whenDeleted: 'skip' },
  'tasks.task.completed': { type: 'task.completed', tell: ['creator'], whenDeleted: 'tell' },
  'tasks.task.cancelled': { type: 'task.cancelled', tell: ['creator', 'named'], whenDeleted: 'tell' },
};

/** Whether deleting the task makes a notification of this type pointless. */
export function endsWithItsTask(type: NotificationType): boolean {
  return Object.values(rules).some((rule) => rule.type === type && rule.whenDeleted === 'skip');
}

/** The delivery class of each type, which determines what an unknown outcome requires. */
export const classes: Readonly<Record<NotificationType, DeliveryClass>> = {
  'task.assigned': 'notice',
  'task.unassigned': 'notice',
  'task.started': 'notice',
  'task.completed': 'notice',
  'task.cancelled': 'notice',
  'user.welcome': 'account',
  'security.verify_email': 'account',
  'security.reset_password': 'account',
  'security.password_changed': 'account',
  'security.confirm_email': 'account',
  'security.email_change_requested': 'account',
  'security.email_changed': 'account',
  'security.invitation': 'account',
  'security.role_changed': 'account',
  'security.account_deleted': 'account',
  'security.account_restored': 'account',
  'security.admin_added': 'account',
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
export function audienceOf<T extends ToldEventType>(
  eventType: T,
  event: EventPayload<T>,
  creatorId: string | undefined,
): string[] {
  const people: Readonly<Record<Audience, string | null | undefined>> = { named: namedIn(event), creator: creatorId };
  const told = new Set(rules[eventType].tell.map((audience) => people[audience]));
  return [...told].filter((id): id is string => typeof id === 'string' && id !== event.actor);
}

function namedIn(event: EventPayload<ToldEventType>): string | null {
  return 'unassigned_from' in event ? event.unassigned_from : event.assigned_to;
}
