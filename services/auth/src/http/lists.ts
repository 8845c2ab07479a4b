import type { authRoutes } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { paged, type HandlerOf } from '@taskwire/http-server';
import type { InternalUser, Users } from '../app/ports/users.ts';

/** Lists users by creation; pages stay consistent while users are added, changed or deleted. */
export function listUsers(users: Users): HandlerOf<typeof authRoutes.listUsers> {
  return async ({ actor, query: { cursor, limit, role, q, sort, ...filter } }) => {
    const isDeleted = filter.deleted === 'true';
    if (isDeleted && actor.role !== 'admin') throw problem('forbidden', 'Only admins can list deleted users.');
    const selection = {
      role,
      text: q,
      emailVerified: filter.email_verified === undefined ? undefined : filter.email_verified === 'true',
      createdSince: filter.created_since,
      createdUntil: filter.created_until,
      updatedSince: filter.updated_since,
      updatedUntil: filter.updated_until,
      isDeleted,
      order: sort === 'created_at' ? ('oldest_first' as const) : ('latest_first' as const),
    };
    const body = await paged(
      { name: 'users', filter: { role, q, sort, ...filter }, positions: 'id', cursor, limit },
      async (place) => await users.list(selection, place),
    );
    return { status: 200, body };
  };
}

/** Returns a user with the epoch, for services; epoch 1 is omitted, because services assume it. */
export function ofEpoch(user: InternalUser, epoch: number): InternalUser {
  return epoch === 1 ? user : { ...user, source_epoch: epoch };
}

/** Lists all users by the time of their last change, for the directories of other services. */
export function listChangedUsers(
  users: Users,
  publishedEpoch: () => number,
): HandlerOf<typeof authRoutes.listInternalUsers> {
  return async ({ query: { cursor, limit, updated_since: since } }) => {
    const body = await paged(
      { name: 'changed users', filter: { since }, positions: 'instant and id', cursor, limit },
      async (place) => await users.listChanged({ since }, place),
    );
    const epoch = publishedEpoch();
    return { status: 200, body: { ...body, data: body.data.map((user) => ofEpoch(user, epoch)) } };
  };
}
