import { notificationsRoutes } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { bind, type BoundRoute, type HandlerOf } from '@taskwire/http-server';
import { bindDeadLetters, type DeadLetters } from '@taskwire/dead-letters';
import { cursorInstant, listCursors } from '@taskwire/postgres';
import { z } from 'zod';
import type { Inbox } from '../app/inbox.ts';

/** The public API. */
export function routes({ inbox, deadLetters }: { inbox: Inbox; deadLetters: DeadLetters }): BoundRoute[] {
  return [
    bind(notificationsRoutes.listNotifications, list(inbox)),
    bind(notificationsRoutes.countUnread, countUnread(inbox)),
    bind(notificationsRoutes.readNotification, read(inbox)),
    bind(notificationsRoutes.readAllNotifications, readAll(inbox)),
    ...bindDeadLetters(notificationsRoutes, deadLetters),
  ];
}

const position = z.tuple([cursorInstant, z.guid()]);

function list(inbox: Inbox): HandlerOf<typeof notificationsRoutes.listNotifications> {
  return async ({ actor, query: { cursor, limit, unread } }) => {
    const cursors = listCursors(position, { name: 'notifications', filter: { unread } });
    const [createdAt, id] = cursors.decode(cursor) ?? [];
    const after = createdAt === undefined || id === undefined ? undefined : { createdAt, id };
    // one more than requested, which shows whether another page follows
    const found = await inbox.list({
      userId: actor.id,
      unread: unread === undefined ? undefined : unread === 'true',
      after,
      limit: limit + 1,
    });
    const data = found.slice(0, limit);
    const last = data.at(-1);
    const more = found.length > limit && last !== undefined;
    return { status: 200, body: { data, next_cursor: more ? cursors.encode([last.created_at, last.id]) : null } };
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
