import type { EventPayload } from '@taskwire/contracts';
import type { BuildNotification } from './build-notification.ts';
import type { TemplateData } from './notification-types.ts';
import type { FindUser, FindTask, User, Plan } from './ports.ts';
import { mayRead } from './recheck.ts';
import { retryLater } from './retry-later.ts';
import type { Audience, NotifiedEventType } from './notifications/definition.ts';
import { taskNotifications, type TypedNotification } from './notifications/definitions.ts';

type Needs = { findTask: FindTask; findUser: FindUser; buildNotification: BuildNotification };

/** Plans the notifications for a task event. Reads from other services; writes nothing. */
export function notifyAboutTask({ findTask, findUser, buildNotification }: Needs) {
  return async <T extends NotifiedEventType>(
    eventType: T,
    event: EventPayload<T>,
    eventId: string,
    signal: AbortSignal,
  ): Promise<Plan> => {
    const possible = taskNotifications.get(eventType) ?? [];
    // the event alone shows that there is no one to notify: the performer is the actor, or a comment mentions no one
    if (recipientsOf(possible, event, { creatorId: anyone, assigneeId: anyone }).size === 0)
      return { kind: 'notify', notifications: [] };

    const task = await findTask(event.task_uuid, event.timestamp, signal);
    if (task.kind === 'unavailable') return retryLater(task);
    // the event came through Tasks' outbox, so Tasks had the task. The cause may be a restored backup or a wrong address, which this service cannot
    // determine
    if (task.kind === 'not_found')
      return { kind: 'impossible', reason: `Tasks does not know the task ${event.task_uuid}` };
    // a task deleted before this service first saw it never caused a notification, so its end causes none either
    const { title } = task;
    if (title === null) return { kind: 'notify', notifications: [] };
    const wanted = task.kind === 'deleted' ? possible.filter(({ whenDeleted }) => whenDeleted === 'notify') : possible;

    const recipients: { user: User; notification: TypedNotification }[] = [];
    for (const [id, notification] of recipientsOf(wanted, event, task)) {
      const user = await findUser(id);
      if (user.kind === 'unavailable') return retryLater(user);
      // the event names this user, so they exist: an unknown user must not be treated as if there were no recipient
      if (user.kind === 'not_found') return retryLater({ detail: `Auth does not know the recipient ${id} yet` });
      // deleted users are not notified
      if (user.kind === 'user') recipients.push({ user, notification });
    }
    if (recipients.length === 0) return { kind: 'notify', notifications: [] };

    const actor = event.actor === null ? null : await nameOf(event.actor, findUser);
    return {
      kind: 'notify',
      notifications: recipients.map(({ user: recipient, notification: { type, standsAlone } }) =>
        buildNotification({
          eventId,
          userId: recipient.id,
          isReadable: mayRead(task, recipient),
          type,
          actorId: event.actor,
          commentId: 'comment_uuid' in event ? event.comment_uuid : null,
          happenedAt: standsAlone === true ? null : event.timestamp,
          templateData: {
            task: { id: task.id, title, isDeleted: task.kind === 'deleted' },
            actor,
            recipient: recipient.name,
            due: dueDateIn(event),
          },
        }),
      ),
    };
  };
}

function dueDateIn(event: EventPayload<NotifiedEventType>): TemplateData['due'] {
  if (!('due_at' in event)) return undefined;
  const { due_at: at, due_time_zone: timeZone = null, due_all_day: isAllDay = false } = event;
  return { at, timeZone, isAllDay };
}

/** The actor's name is optional: the notification is not delayed while Auth is unavailable. */
async function nameOf(id: string, findUser: FindUser): Promise<string> {
  const user = await findUser(id);
  return user.kind === 'user' ? user.name : 'Someone';
}

/** Stands for a creator and a performer who are not known yet. */
const anyone = 'anyone';

type TaskPeople = { creatorId: string | null; assigneeId?: string | null | undefined };

/** The distinct users to notify of an event, without its actor, each with the first notification that is for the user. */
export function recipientsOf(
  notifications: readonly TypedNotification[],
  event: EventPayload<NotifiedEventType>,
  { creatorId, assigneeId = null }: TaskPeople,
): Map<string, TypedNotification> {
  const users: Readonly<Record<Audience, readonly (string | null)[]>> = {
    named: [namedIn(event)],
    creator: [creatorId],
    performer: [assigneeId],
    mentioned: mentionedIn(event),
  };
  const recipients = new Map<string, TypedNotification>();
  for (const notification of notifications) {
    for (const id of notification.audience.flatMap((one) => users[one])) {
      if (id !== null && id !== event.actor && !recipients.has(id)) recipients.set(id, notification);
    }
  }
  return recipients;
}

function namedIn(event: EventPayload<NotifiedEventType>): string | null {
  if ('unassigned_from' in event) return event.unassigned_from;
  return 'assigned_to' in event ? event.assigned_to : null;
}

function mentionedIn(event: EventPayload<NotifiedEventType>): readonly string[] {
  if ('mentions_added' in event) return event.mentions_added;
  return 'mentions' in event ? event.mentions : [];
}
