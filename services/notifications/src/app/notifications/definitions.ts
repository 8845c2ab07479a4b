import type { TemplateData, NotificationType } from '../notification-types.ts';
import { accountDeleted } from './account-deleted.ts';
import { accountRestored } from './account-restored.ts';
import { adminAdded } from './admin-added.ts';
import { commentAdded } from './comment-added.ts';
import { commentMentioned } from './comment-mentioned.ts';
import { confirmEmail } from './confirm-email.ts';
import { emailChangeRequested } from './email-change-requested.ts';
import { emailChanged } from './email-changed.ts';
import { invitation } from './invitation.ts';
import { passwordChanged } from './password-changed.ts';
import { resetPassword } from './reset-password.ts';
import { roleChanged } from './role-changed.ts';
import { taskAssigned } from './task-assigned.ts';
import { taskCancelled } from './task-cancelled.ts';
import { taskCompleted } from './task-completed.ts';
import { taskDueSoon } from './task-due-soon.ts';
import { taskOverdue } from './task-overdue.ts';
import { taskStarted } from './task-started.ts';
import { taskUnblocked } from './task-unblocked.ts';
import { taskUnassigned } from './task-unassigned.ts';
import type { NotificationDefinition, NotifiedEventType, TaskNotification } from './definition.ts';
import { plain, written } from './phrase.ts';
import { templateInput } from './template.ts';
import { userWelcome } from './user-welcome.ts';
import { verifyEmail } from './verify-email.ts';

/** Every type of notification. The contract lists the same types. */
export const definitions: Readonly<Record<NotificationType, NotificationDefinition>> = {
  'task.assigned': taskAssigned,
  'task.unassigned': taskUnassigned,
  'task.started': taskStarted,
  'task.completed': taskCompleted,
  'task.cancelled': taskCancelled,
  'task.unblocked': taskUnblocked,
  'task.due_soon': taskDueSoon,
  'task.overdue': taskOverdue,
  // a user who is mentioned is not also notified of the comment, because the mention comes first
  'comment.mentioned': commentMentioned,
  'comment.added': commentAdded,
  'user.welcome': userWelcome,
  'security.verify_email': verifyEmail,
  'security.reset_password': resetPassword,
  'security.password_changed': passwordChanged,
  'security.confirm_email': confirmEmail,
  'security.email_change_requested': emailChangeRequested,
  'security.email_changed': emailChanged,
  'security.invitation': invitation,
  'security.role_changed': roleChanged,
  'security.account_deleted': accountDeleted,
  'security.account_restored': accountRestored,
  'security.admin_added': adminAdded,
};

/**
 * The in-app text of a notification, with user-written parts unchanged; null for a type that isn't shown in the app.
 */
export function contentInApp(
  type: NotificationType,
  templateData: TemplateData,
): { title: string; body: string } | null {
  const content = definitions[type].inApp?.(templateInput(templateData), written(templateData.recipient));
  return content === undefined ? null : { title: plain(content.title), body: plain(content.body) };
}

/** The name under which the inbox records the handler of task events. */
export const taskHandlerName = 'notify';

const entries = Object.entries(definitions) as [NotificationType, NotificationDefinition][];

export type TypedNotification = TaskNotification & { type: NotificationType; event: NotifiedEventType };

/** The notifications for each task event that notifies users. A user gets the first of them that is for the user. */
export const taskNotifications: ReadonlyMap<string, readonly TypedNotification[]> = Map.groupBy(
  entries.flatMap(([type, one]) => (one.about === 'task' ? one.events.map((event) => ({ ...one, type, event })) : [])),
  ({ event }) => event,
);

/** The notifications for account events, except those with their own handlers. */
export const accountNotifications = entries.flatMap(([type, one]) =>
  one.about === 'account' && one.read !== undefined ? [{ ...one, type, read: one.read }] : [],
);

export function isNotified(eventType: string): eventType is NotifiedEventType {
  return taskNotifications.has(eventType);
}

export function reachesDeletedUsers(type: NotificationType): boolean {
  const definition = definitions[type];
  return definition.about === 'account' && definition.reachesDeletedUsers === true;
}
