/** The rows to claim, as SQL. `limit`, `leaseId` and `leaseMs` are placeholders of the caller's statement, such as `$1`. */
export type ClaimDue = {
  table: string;
  /** The primary key. */
  key: string;
  /** The condition under which a row is due. It must say which leases it respects, such as `lease_id IS NULL`. */
  where: string;
  order: string;
  limit: string;
  /** A new id for each claim, so that a process whose lease has expired cannot write under the id of the next claim. */
  leaseId: string;
  leaseMs: string;
  /** Further assignments, such as the count of attempts. */
  set?: string;
};

/**
 * Returns an UPDATE that leases due rows to one process. The caller appends RETURNING to the statement. Processes that run the statement at the same
 * time get different rows. The table has the columns `lease_id` and `lease_expires_at`.
 *
 * The rows are selected in an ARRAY, which is evaluated only once, because PostgreSQL may turn `IN (SELECT … LIMIT … FOR UPDATE SKIP LOCKED)` into a
 * join that repeats the subquery for each row of the table, finds different rows each time, and so claims more than the limit.
 *
 * Tables whose due time is also the end of the lease use other statements: stale rows of the user directory, and deliveries.
 */
export function claimDue({ table, key, where, order, limit, leaseId, leaseMs, set }: ClaimDue): string {
  return `
    UPDATE ${table}
    SET lease_id = ${leaseId}, lease_expires_at = now() + ${leaseMs} * interval '1 millisecond'${set === undefined ? '' : `, ${set}`}
    WHERE ${key} = ANY (ARRAY(
      SELECT ${key} FROM ${table} WHERE ${where} ORDER BY ${order} LIMIT ${limit} FOR UPDATE SKIP LOCKED))`;
}
