import { uuid, type authRoutes } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { HandlerOf } from '@taskwire/http-server';
import { cursorInstant, listCursors, type Cursors } from '@taskwire/postgres';
import { z } from 'zod';
import type { Users } from '../app/ports/users.ts';

const afterChange = z.tuple([cursorInstant, uuid]);

/** Lists users by creation; pages are stable while users are added, changed or deleted. */
export function listUsers(users: Users): HandlerOf<typeof authRoutes.listUsers> {
  return async ({ actor, query: { cursor, limit, role, q, sort, ...filter } }) => {
    const isDeleted = filter.deleted === 'true';
    if (isDeleted && actor.role !== 'admin') throw problem('forbidden', 'Only admins list deleted users.');
    const cursors = listCursors(uuid, { name: 'users', filter: { role, q, sort, ...filter } });
    const after = cursors.decode(cursor);
    const found = await users.list({
      role,
      text: q,
      emailVerified: filter.email_verified === undefined ? undefined : filter.email_verified === 'true',
      createdSince: filter.created_since,
      createdUntil: filter.created_until,
      updatedSince: filter.updated_since,
      updatedUntil: filter.updated_until,
      isDeleted,
      order: sort === 'created_at' ? 'oldest_first' : 'latest_first',
      after,
      // one more than requested shows whether a next page exists
      limit: limit + 1,
    });
    return { status: 200, body: page(found, { limit, cursors, position: (user) => user.id }) };
  };
}

/** Lists all users by the time of their last change, for the directories of other services. */
export function listChangedUsers(users: Users): HandlerOf<typeof authRoutes.listInternalUsers> {
  return async ({ query: { cursor, limit, updated_since: since } }) => {
    const cursors = listCursors(afterChange, { name: 'changed users', filter: { since } });
    const [updatedAt, id] = cursors.decode(cursor) ?? [];
    const after = updatedAt === undefined || id === undefined ? undefined : { updatedAt, id };
    const found = await users.listChanged({ since, after, limit: limit + 1 });
    return { status: 200, body: page(found, { limit, cursors, position: (user) => [user.updated_at, user.id] }) };
  };
}

/** Returns a page of at most `limit` of these rows: one more row than that means that a next page exists. */
export function page<T, P>(
  found: T[],
  { limit, cursors, position }: { limit: number; cursors: Cursors<P>; position: (item: T) => P },
) {
  const data = found.slice(0, limit);
  const last = data.at(-1);
  return { data, next_cursor: found.length > limit && last !== undefined ? cursors.encode(position(last)) : null };
}
