import type { EventPayload } from '@taskwire/contracts';
import type { BuildNotification } from './build-notification.ts';
import type { TemplateData } from './notification-types.ts';
import type { FindUser, FindTask, User, Plan } from './ports.ts';
import { retryLater } from './retry-later.ts';
import type { Audience, NotifiedEventType } from './notifications/definition.ts';
import { taskNotifications } from './notifications/definitions.ts';

type Needs = { findTask: FindTask; findUser: FindUser; buildNotification: BuildNotification };

/** Plans the notifications for a task event. Reads from other services; writes nothing. */
export function notifyAboutTask({ findTask, findUser, buildNotification }: Needs) {
  return async <T extends NotifiedEventType>(
    eventType: T,
    event: EventPayload<T>,
    eventId: string,
    signal: AbortSignal,
  ): Promise<Plan> => {
    const notification = taskNotifications.get(eventType);
    if (notification === undefined) return { kind: 'notify', notifications: [] };
    const notifiesNoOne =
      !notification.audience.includes('creator') && recipientsOf(notification.audience, event, undefined).length === 0;
    if (notifiesNoOne) return { kind: 'notify', notifications: [] };

    const task = await findTask(event.task_uuid, event.timestamp, signal);
    if (task.kind === 'unavailable') return retryLater(task);
    // the event came through Tasks' outbox, so Tasks had the task. The cause may be a restored backup or a wrong address, which this service cannot
    // determine
    if (task.kind === 'not_found')
      return { kind: 'impossible', reason: `Tasks does not know the task ${event.task_uuid}` };
    // a task deleted before this service first saw it never caused a notification, so its end causes none either
    const { title } = task;
    if (title === null || (task.kind === 'deleted' && notification.whenDeleted === 'skip'))
      return { kind: 'notify', notifications: [] };

    const recipients: User[] = [];
    for (const id of recipientsOf(notification.audience, event, task.creatorId ?? undefined)) {
      const user = await findUser(id);
      if (user.kind === 'unavailable') return retryLater(user);
      // the event names this user, so they exist: an unknown user must not be treated as if there were no recipient
      if (user.kind === 'not_found') return retryLater({ detail: `Auth does not know the recipient ${id} yet` });
      // deleted users are not notified
      if (user.kind === 'user') recipients.push(user);
    }
    if (recipients.length === 0) return { kind: 'notify', notifications: [] };

    const actor = event.actor === null ? null : await nameOf(event.actor, findUser);
    return {
      kind: 'notify',
      notifications: recipients.map((recipient) =>
        buildNotification({
          eventId,
          userId: recipient.id,
          type: notification.type,
          actorId: event.actor,
          happenedAt: event.timestamp,
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

/** The distinct users to notify of an event, without its actor. `creatorId` is undefined if the task is no longer known. */
export function recipientsOf(
  audience: readonly Audience[],
  event: EventPayload<NotifiedEventType>,
  creatorId: string | undefined,
): string[] {
  const users: Readonly<Record<Audience, string | null | undefined>> = { named: namedIn(event), creator: creatorId };
  const ids = new Set(audience.map((one) => users[one]));
  return [...ids].filter((id): id is string => typeof id === 'string' && id !== event.actor);
}

function namedIn(event: EventPayload<NotifiedEventType>): string | null {
  return 'unassigned_from' in event ? event.unassigned_from : event.assigned_to;
}
