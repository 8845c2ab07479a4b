import { notificationsRoutes } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { bind, paged, type BoundRoute, type HandlerOf } from '@taskwire/http-server';
import { bindDeadLetters, type DeadLetters } from '@taskwire/dead-letters';
import type { Inbox } from '../app/inbox.ts';
import type { ReadJourneys } from '../app/journeys.ts';

type RoutePorts = { inbox: Inbox; deadLetters: DeadLetters; readJourneys: ReadJourneys };

/** The public API. */
export function routes({ inbox, deadLetters, readJourneys }: RoutePorts): BoundRoute[] {
  return [
    bind(notificationsRoutes.listNotifications, list(inbox)),
    bind(notificationsRoutes.countUnread, countUnread(inbox)),
    bind(notificationsRoutes.readNotification, read(inbox)),
    bind(notificationsRoutes.readAllNotifications, readAll(inbox)),
    ...bindDeadLetters(notificationsRoutes, deadLetters),
    bind(notificationsRoutes.listNotificationJourney, readJourney(readJourneys)),
  ];
}

function list(inbox: Inbox): HandlerOf<typeof notificationsRoutes.listNotifications> {
  return async ({ actor, query: { cursor, limit, unread } }) => {
    const filter = { userId: actor.id, unread: unread === undefined ? undefined : unread === 'true' };
    const body = await paged(
      { name: 'notifications', filter: { unread }, positions: 'instant and id', cursor, limit },
      async (place) => await inbox.list(filter, place),
    );
    return { status: 200, body };
  };
}

function countUnread(inbox: Inbox): HandlerOf<typeof notificationsRoutes.countUnread> {
  return async ({ actor }) => ({ status: 200, body: { unread_count: await inbox.countUnread(actor.id) } });
}

function read(inbox: Inbox): HandlerOf<typeof notificationsRoutes.readNotification> {
  return async ({ actor, params: { id } }) => {
    const notification = await inbox.read(actor.id, id);
    // another user's notification gets the same response as a nonexistent one
    if (notification === undefined) throw problem('not_found', 'You have no notification with this id.');
    return { status: 200, body: notification };
  };
}

function readAll(inbox: Inbox): HandlerOf<typeof notificationsRoutes.readAllNotifications> {
  return async ({ actor }) => ({ status: 200, body: { read: await inbox.readAll(actor.id) } });
}

function readJourney(readJourneys: ReadJourneys): HandlerOf<typeof notificationsRoutes.listNotificationJourney> {
  return async ({ params: { task_id: task }, query: { cursor, limit } }) => {
    const body = await paged(
      { name: 'journeys', filter: { task }, positions: 'id', cursor, limit },
      async (place) => await readJourneys(task, place),
    );
    return { status: 200, body };
  };
}
