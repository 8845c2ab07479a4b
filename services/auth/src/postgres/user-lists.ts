import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { ChangedFilter, InternalUser, ListedUser, UserFilter } from '../app/ports/users.ts';
import { conditions, containing, toTimestamp } from './conditions.ts';
import { internalUserColumns, restorableUntil, userColumns } from './user-rows.ts';

/**
 * Lists users that aren't deleted, or only deleted ones that aren't erased, by id, and thus by time of creation. A row never moves, so pages are
 * stable. `restoreDays`: how long deleted users can be restored.
 */
export async function listUsers(db: Queryable, filter: UserFilter, restoreDays: number): Promise<ListedUser[]> {
  const { text, after, order, isDeleted } = filter;
  const { where, sql, values } = conditions(isDeleted ? notErased : 'deleted_at IS NULL');
  where([after], (id) => `id ${order === 'oldest_first' ? '>' : '<'} ${id}::uuid`);
  where([filter.role], (role) => `role = ${role}`);
  where([text && containing(text)], (pattern) => `(name ILIKE ${pattern} OR email ILIKE ${pattern})`);
  where([filter.emailVerified], (verified) => `email_verified = ${verified}::boolean`);
  where([toTimestamp(filter.createdSince)], (since) => `created_at >= ${since}::timestamptz`);
  where([toTimestamp(filter.createdUntil)], (until) => `created_at < ${until}::timestamptz`);
  where([toTimestamp(filter.updatedSince)], (since) => `updated_at >= ${since}::timestamptz`);
  where([toTimestamp(filter.updatedUntil)], (until) => `updated_at < ${until}::timestamptz`);
  const columns = isDeleted ? `${userColumns}, ${deletionColumns(restoreDays)}` : userColumns;
  return await query<ListedUser>(
    db,
    `SELECT ${columns} FROM users WHERE ${sql()}
     ORDER BY id ${order === 'oldest_first' ? 'ASC' : 'DESC'} LIMIT ${filter.limit}`,
    values,
  );
}

const notErased = 'deleted_at IS NOT NULL AND erased_at IS NULL';

function deletionColumns(restoreDays: number): string {
  return `${isoMicros('users.deleted_at')} AS deleted_at, ${isoMicros(restorableUntil(String(restoreDays)))} AS restorable_until`;
}

/**
 * Lists users by (updated_at, id), including deleted ones. A reader that continues after the last row it saw misses nothing, although rows aren't
 * committed in the order of their timestamps: a change that is stamped but not yet committed would be skipped. Therefore only changes older than
 * every running transaction are returned; the rest follows with the next call, a moment later.
 *
 * Why this is correct: a change is stamped after its transaction began. The horizon is the earliest start of a running transaction (or now, if none
 * runs), so each change below it was committed when the horizon was read. The second statement, with a later snapshot, sees it. That is why two
 * statements are needed. (Rows would be skipped if the server's clock were set back; full sweeps find those.)
 *
 * A bare updated_at in ORDER BY would mean the text in the select list, which has no index: each page would sort all users behind it.
 */
export async function listChangedUsers(db: Queryable, filter: ChangedFilter): Promise<InternalUser[]> {
  const [horizon] = await query<{ at: string }>(db, oldestTransaction);
  return await query<InternalUser>(
    db,
    `SELECT ${internalUserColumns} FROM users
     WHERE updated_at < $1::timestamptz
       AND ($2::timestamptz IS NULL OR updated_at >= $2)
       AND ($3::timestamptz IS NULL OR (updated_at, id) > ($3, $4::uuid))
     ORDER BY users.updated_at, users.id LIMIT $5`,
    [
      horizon?.at,
      toTimestamp(filter.since),
      toTimestamp(filter.after?.updatedAt),
      filter.after?.id ?? null,
      filter.limit,
    ],
  );
}

// now() is when this statement arrived, before it read the other transactions. The result is text, because a Date would lose the microseconds.
// The service's own database role makes all changes, and can see the transactions of its own role.
const oldestTransaction = `
  SELECT least(now(), min(xact_start))::text AS at
  FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;
