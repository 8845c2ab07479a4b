import { query, type Queryable } from '@taskwire/postgres';

/** Rows of a round, so that no statement runs long or holds many locks: each takes its deliveries and their attempts along. */
const batch = 500;

/**
 * Deletes a batch of what users were told whom Auth has erased: their names, and their addresses in what mail servers said. The directory
 * knows them by an empty address. Any number of replicas may do this at once. Tells whether there may be more.
 */
export async function eraseNotifications(db: Queryable): Promise<'more' | 'idle'> {
  const deleted = await query(db, deleteOfErased, [batch]);
  return deleted.length === batch ? 'more' : 'idle';
}

const deleteOfErased = `
  DELETE FROM notifications WHERE id = ANY (ARRAY(
    SELECT notifications.id
    FROM directory_users erased JOIN notifications ON notifications.user_id = erased.id
    WHERE erased.is_deleted AND erased.email = ''
    LIMIT $1
    FOR UPDATE OF notifications SKIP LOCKED
  ))
  RETURNING id`;
