import { query, type Queryable } from '@taskwire/postgres';

/**
 * Waits until the transactions that are changing these people in the directory have ended: the row lock that each of them holds cannot be
 * shared before. Who is told of a change inside of its transaction looks after this, and sees it.
 */
export async function directoryCommit(db: Queryable, userIds: readonly string[]): Promise<void> {
  if (userIds.length > 0) await query(db, 'SELECT FROM directory_users WHERE id = ANY($1) FOR SHARE', [userIds]);
}
