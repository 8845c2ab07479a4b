import { isoMicros, type Database, type Keyset, type Page, type Place } from '@taskwire/postgres';
import type { InternalUser, ListedUser, UserFilter } from '../app/ports/users.ts';
import { userEntity } from './entities.ts';
import { containing, toTimestamp } from './filter-values.ts';
import { restorableUntil } from './user-rows.ts';

/** The database or a transaction. */
type Lists = Pick<Database, 'query' | 'list'>;

/**
 * Lists users that aren't deleted, or only deleted ones that aren't erased, by id, and thus by time of creation. Rows never change position, so pages
 * stay consistent. `restoreDays`: how long deleted users can be restored.
 */
export async function listUsers(
  db: Lists,
  filter: UserFilter & { restoreDays: number },
  place: Place,
): Promise<Page<ListedUser>> {
  const found = db
    .list(userEntity, 'users')
    .where('users.role = :role', { role: filter.role })
    .where('users.name ILIKE :text OR users.email ILIKE :text', { text: filter.text && containing(filter.text) })
    .where('users.email_verified = :verified', { verified: filter.emailVerified })
    .where('users.created_at >= :createdSince', { createdSince: toTimestamp(filter.createdSince) })
    .where('users.created_at < :createdUntil', { createdUntil: toTimestamp(filter.createdUntil) })
    .where('users.updated_at >= :updatedSince', { updatedSince: toTimestamp(filter.updatedSince) })
    .where('users.updated_at < :updatedUntil', { updatedUntil: toTimestamp(filter.updatedUntil) });
  const order = byId[filter.order];
  if (!filter.isDeleted) return await found.where('users.deleted_at IS NULL').page(order, place);
  return await found
    .where('users.deleted_at IS NOT NULL AND users.erased_at IS NULL')
    .select<'deleted_at', string>('deleted_at', isoMicros('users.deleted_at'))
    .select<'restorable_until', string>('restorable_until', isoMicros(restorableUntil(String(filter.restoreDays))))
    .page(order, place);
}

const id = { id: { sql: 'users.id', type: 'uuid' } } as const;
const byId: Readonly<Record<UserFilter['order'], Keyset>> = {
  oldest_first: { direction: 'ASC', columns: id },
  latest_first: { direction: 'DESC', columns: id },
};

/**
 * Lists users by (updated_at, id), including deleted ones. A reader that continues after the last row it received misses no change. Rows aren't
 * committed in the order of their timestamps, so a change that has its timestamp but is not yet committed could be skipped. Therefore only changes
 * older than every running transaction are returned; the others follow with the next call, a moment later.
 *
 * Why this is correct: a change gets its timestamp after its transaction began. The horizon is the earliest start of a running transaction (or now,
 * if none runs), so each change below it was committed when the horizon was read. The second statement, with a later snapshot, sees it. That is why
 * two statements are needed. (Rows would be skipped if the server's clock were set back; full reconciliations find those.)
 */
export async function listChangedUsers(
  db: Lists,
  { since }: { since: string | undefined },
  place: Place,
): Promise<Page<InternalUser>> {
  const [horizon] = await db.query<{ at: string }>(oldestTransaction);
  return await db
    .list(userEntity, 'users')
    .select<'is_deleted', boolean>('is_deleted', 'users.deleted_at IS NOT NULL')
    .select<'tokens_valid_after', string | null>('tokens_valid_after', isoMicros('users.tokens_valid_after'))
    .where('users.updated_at < :horizon', { horizon: horizon?.at ?? null })
    .where('users.updated_at >= :since', { since: toTimestamp(since) })
    .page(byChange, place);
}

const byChange: Keyset = {
  direction: 'ASC',
  columns: { updated_at: { sql: 'users.updated_at', type: 'timestamptz' }, ...id },
};

// now() is the time when this statement arrived, which is before it reads the other transactions. The result is text, because a Date would lose the
// microseconds. All changes are made with the service's own database role, which can see the transactions of that role.
const oldestTransaction = `
  SELECT least(now(), min(xact_start))::text AS at
  FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;
