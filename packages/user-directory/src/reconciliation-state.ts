import { isoMicros, query, type Queryable, type Tx } from '@taskwire/postgres';

/**
 * Why users are being listed:
 * - `fill`: the directory has never been complete
 * - `catch_up`: changes since the last reconciliation, in case an event was lost
 * - `full`: all users, in case earlier reconciliations missed something
 * - `rebuild`: all users, to repair stored rows as well
 */
export type ReconciliationKind = 'fill' | 'catch_up' | 'full' | 'rebuild';

/** The progress of the reconciliation that this process holds. Times are text with microseconds. */
export type Reconciliation = {
  kind: ReconciliationKind;
  updatedSince: string | null;
  cursor: string | null;
  /** The time by Auth's clock up to which the directory was complete before this reconciliation; null if it never was. */
  completeUpTo: string | null;
  /** This database's time when the reconciliation was claimed for one page, before Auth is queried for that page. */
  now: string;
};

export type ReconciliationSchedule = {
  /** Milliseconds from the end of one reconciliation to the start of the next, and from one full reconciliation to the next. */
  everyMs: number;
  fullEveryMs: number;
  /** A reconciliation starts this long before the newest change seen by the previous one, since changes become visible later than their timestamp. */
  overlapMs: number;
  /** The lease: a process that dies during a reconciliation is replaced after this time. */
  leaseMs: number;
};

// Rows without email_verified were written by the previous version, which may continue to write such rows while a deployment replaces it.
const findReconciliation = `
  SELECT CASE
      WHEN kind IS NOT NULL THEN kind
      WHEN completed_at IS NULL THEN 'fill'
      WHEN coalesce(full_completed_at, '-infinity') < clock_timestamp() - $2::bigint * interval '1 millisecond' THEN 'full'
      WHEN coalesce(full_completed_at, '-infinity') < clock_timestamp() - $3::bigint * interval '1 millisecond' AND EXISTS (
        SELECT FROM directory_users WHERE email_verified IS NULL AND fetched_at IS NOT NULL AND NOT is_deleted
      ) THEN 'full'
      WHEN completed_at < clock_timestamp() - $3::bigint * interval '1 millisecond' THEN 'catch_up'
    END AS due,
    kind IS NOT NULL AS running
  FROM directory_reconciliation
  WHERE lease_owner = $1 OR lease_expires_at < clock_timestamp()
  FOR UPDATE SKIP LOCKED`;

const startReconciliation = `
  UPDATE directory_reconciliation
  SET kind = $1, cursor = NULL, high_watermark = NULL, started_at = clock_timestamp(),
    updated_since = CASE WHEN $1 = 'catch_up' THEN complete_up_to - $2::bigint * interval '1 millisecond' END`;

const leaseReconciliation = `
  UPDATE directory_reconciliation
  SET lease_owner = $1, lease_expires_at = clock_timestamp() + $2::integer * interval '1 millisecond'
  RETURNING kind, ${isoMicros('updated_since')} AS "updatedSince", cursor, clock_timestamp()::text AS now,
    -- a fill that found no users is complete, although it has no newest change
    coalesce(complete_up_to - $3::bigint * interval '1 millisecond',
      CASE WHEN completed_at IS NOT NULL THEN '-infinity'::timestamptz END)::text AS "completeUpTo"`;

/** Claims the reconciliation that is due or in progress for one lease; `undefined` if no reconciliation is due, or another process holds it. */
export async function claimReconciliation(
  tx: Tx,
  owner: string,
  schedule: ReconciliationSchedule,
): Promise<Reconciliation | undefined> {
  const [found] = await query<{ due: ReconciliationKind | null; running: boolean }>(tx, findReconciliation, [
    owner,
    schedule.fullEveryMs,
    schedule.everyMs,
  ]);
  if (found === undefined || found.due === null) return undefined;
  if (!found.running) await query(tx, startReconciliation, [found.due, schedule.overlapMs]);
  const [reconciliation] = await query<Reconciliation>(tx, leaseReconciliation, [
    owner,
    schedule.leaseMs,
    schedule.overlapMs,
  ]);
  return reconciliation;
}

/** Starts a rebuild, even if another reconciliation is in progress or another process holds it. */
export async function startRebuild(tx: Tx, owner: string, schedule: ReconciliationSchedule): Promise<void> {
  await query(tx, startReconciliation, ['rebuild', 0]);
  await query(tx, leaseReconciliation, [owner, schedule.leaseMs, schedule.overlapMs]);
}

const moveReconciliation = `
  UPDATE directory_reconciliation
  SET cursor = $2, high_watermark = greatest(high_watermark, $3::timestamptz),
    lease_expires_at = clock_timestamp() + $4::integer * interval '1 millisecond'
  WHERE lease_owner = $1 RETURNING true AS owned`;

const completeReconciliation = `
  UPDATE directory_reconciliation
  SET kind = NULL, cursor = NULL, updated_since = NULL, lease_owner = NULL, lease_expires_at = '-infinity',
    -- a change that is dated in the future must not make later reconciliations ask for less
    complete_up_to = (
      SELECT least(newest, clock_timestamp()) FROM (SELECT greatest(complete_up_to, high_watermark, $2::timestamptz)) AS seen (newest)
      WHERE newest IS NOT NULL),
    completed_at = clock_timestamp(),
    full_completed_at = CASE WHEN kind = 'catch_up' THEN full_completed_at ELSE clock_timestamp() END
  WHERE lease_owner = $1 RETURNING true AS owned`;

/**
 * Records the progress of the reconciliation; without a cursor it is complete. Returns false if another process has taken the reconciliation over:
 * discard the page then.
 */
export async function saveProgress(
  tx: Tx,
  owner: string,
  place: { cursor: string | null; highWatermark: string | null },
  { leaseMs }: ReconciliationSchedule,
): Promise<boolean> {
  const rows =
    place.cursor === null
      ? await query(tx, completeReconciliation, [owner, place.highWatermark])
      : await query(tx, moveReconciliation, [owner, place.cursor, place.highWatermark, leaseMs]);
  return rows.length > 0;
}

/** Restarts the reconciliation from the beginning: used if Auth rejected the cursor, which an upgrade may have made unreadable. */
export async function restartReconciliation(db: Queryable, owner: string): Promise<void> {
  await query(db, 'UPDATE directory_reconciliation SET cursor = NULL WHERE lease_owner = $1', [owner]);
}

/** Renews the lease of the reconciliation while Auth is unavailable. */
export async function renewReconciliation(
  db: Queryable,
  owner: string,
  { leaseMs }: ReconciliationSchedule,
): Promise<void> {
  await query(
    db,
    "UPDATE directory_reconciliation SET lease_expires_at = clock_timestamp() + $2::integer * interval '1 millisecond' WHERE lease_owner = $1",
    [owner, leaseMs],
  );
}

/** Releases the reconciliation when this process stops, so that another one can continue at once. */
export async function releaseReconciliation(db: Queryable, owner: string): Promise<void> {
  await query(
    db,
    "UPDATE directory_reconciliation SET lease_owner = NULL, lease_expires_at = '-infinity' WHERE lease_owner = $1",
    [owner],
  );
}

/** Marks stored users that a rebuild did not list, so that each is fetched: Auth reports them as deleted or unknown. */
export async function markMissing(tx: Tx): Promise<number> {
  const rows = await query(
    tx,
    `UPDATE directory_users
     SET stale_since = clock_timestamp(), next_fetch_at = clock_timestamp(), attempts = 0
     WHERE NOT is_deleted AND stale_since IS NULL
       AND fetched_at < (SELECT started_at FROM directory_reconciliation)
     RETURNING id`,
  );
  return rows.length;
}

/**
 * Resumes fetching users with open deletion claims: a claim is checked until Auth confirms or denies it. During an upgrade, a build without claims
 * may have stopped the fetching.
 */
export async function resumeClaims(tx: Tx): Promise<void> {
  await query(
    tx,
    `UPDATE directory_users SET stale_since = clock_timestamp(), next_fetch_at = clock_timestamp()
     WHERE deletion_claimed_at IS NOT NULL AND stale_since IS NULL AND NOT is_deleted`,
  );
}
