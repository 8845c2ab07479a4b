import type { EventPayload } from '@taskwire/contracts';
import type { DeliveryClass, MailKind, NotificationType } from './notification-types.ts';

/** Events of tasks that people are told of. */
export type ToldEventType =
  | 'tasks.task.assigned'
  | 'tasks.task.unassigned'
  | 'tasks.task.started'
  | 'tasks.task.completed'
  | 'tasks.task.cancelled';

/** Who may be told of a task: the user named in the event, or its creator. */
type Audience = 'named' | 'creator';

type Rule = {
  type: NotificationType;
  tell: readonly Audience[];
  /** Whether it is still worth telling when the task was deleted in the meantime: what was taken or ended is, what is to be done is not. */
  whenDeleted: 'tell' | 'skip';
};

/** Who is told what. Whoever did it is never told. */
export const rules: Readonly<Record<ToldEventType, Rule>> = {
  'tasks.task.assigned': { type: 'task.assigned', tell: ['named'], whenDeleted: 'skip' },
  'tasks.task.unassigned': { type: 'task.unassigned', tell: ['named'], whenDeleted: 'tell' },
  'tasks.task.started': { type: 'task.started', tell: ['creator'], whenDeleted: 'skip' },
  'tasks.task.completed': { type: 'task.completed', tell: ['creator'], whenDeleted: 'tell' },
  'tasks.task.cancelled': { type: 'task.cancelled', tell: ['creator', 'named'], whenDeleted: 'tell' },
};

/** Whether the deletion of its task leaves nothing to say in a notification of this type. */
export function endsWithItsTask(type: NotificationType): boolean {
  return Object.values(rules).some((rule) => rule.type === type && rule.whenDeleted === 'skip');
}

/** The class of each type, which says what an unknown outcome calls for. */
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

/** What the mail of each type is counted as, where it has one. */
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

/** Whether a user who was deleted still gets it, at the address that they had: news of the deletion, and no other. */
export function reachesTheDeleted(type: NotificationType): boolean {
  return type === 'security.account_deleted';
}

/** Who an event is for, each once, without the one who did it. `creatorId` is undefined where the task is not known any more. */
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
