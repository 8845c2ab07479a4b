import { isoMicros, query, type Queryable, type Tx } from '@taskwire/postgres';

/**
 * Why users are being listed:
 * - `fill`: the directory has never been complete
 * - `catch_up`: changes since the last sweep, in case an event was lost
 * - `full`: all users, in case something was lost before
 * - `rebuild`: all users, and stored rows are repaired too
 */
export type SweepKind = 'fill' | 'catch_up' | 'full' | 'rebuild';

/** The progress of the sweep that this process holds. Times are text with microseconds. */
export type Sweep = {
  kind: SweepKind;
  updatedSince: string | null;
  cursor: string | null;
  /** The time by Auth's clock up to which the directory was complete before this sweep; null if it never was. */
  completeUpTo: string | null;
  /** This database's time when the sweep was claimed for one page, before Auth is queried for it. */
  now: string;
};

export type SweepSchedule = {
  /** Milliseconds from the end of one sweep to the start of the next, and from one full sweep to the next. */
  everyMs: number;
  fullEveryMs: number;
  /** A sweep starts this much before the newest change seen by the last one, since changes become visible later than their timestamp. */
  overlapMs: number;
  /** The lease: a process that dies during a sweep is replaced after this time. */
  leaseMs: number;
};

// Rows without email_verified come from the previous version, which may keep writing some while a deployment replaces it.
const findSweep = `
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
  FROM directory_sweep
  WHERE holder = $1 OR held_until < clock_timestamp()
  FOR UPDATE SKIP LOCKED`;

const startSweep = `
  UPDATE directory_sweep
  SET kind = $1, cursor = NULL, seen_up_to = NULL, started_at = clock_timestamp(),
    updated_since = CASE WHEN $1 = 'catch_up' THEN caught_up_to - $2::bigint * interval '1 millisecond' END`;

const holdSweep = `
  UPDATE directory_sweep
  SET holder = $1, held_until = clock_timestamp() + $2::integer * interval '1 millisecond'
  RETURNING kind, ${isoMicros('updated_since')} AS "updatedSince", cursor, clock_timestamp()::text AS now,
    -- a fill that found nobody has caught up to nothing, and is complete
    coalesce(caught_up_to - $3::bigint * interval '1 millisecond',
      CASE WHEN completed_at IS NOT NULL THEN '-infinity'::timestamptz END)::text AS "completeUpTo"`;

/** Claims the sweep that is due or in progress for one lease; `undefined` if no sweep is due, or another process holds it. */
export async function takeSweep(tx: Tx, holder: string, schedule: SweepSchedule): Promise<Sweep | undefined> {
  const [found] = await query<{ due: SweepKind | null; running: boolean }>(tx, findSweep, [
    holder,
    schedule.fullEveryMs,
    schedule.everyMs,
  ]);
  if (found === undefined || found.due === null) return undefined;
  if (!found.running) await query(tx, startSweep, [found.due, schedule.overlapMs]);
  const [sweep] = await query<Sweep>(tx, holdSweep, [holder, schedule.leaseMs, schedule.overlapMs]);
  return sweep;
}

/** Starts a rebuild, whatever sweep is in progress and whichever process holds it. */
export async function startRebuild(tx: Tx, holder: string, schedule: SweepSchedule): Promise<void> {
  await query(tx, startSweep, ['rebuild', 0]);
  await query(tx, holdSweep, [holder, schedule.leaseMs, schedule.overlapMs]);
}

const advanceSweep = `
  UPDATE directory_sweep
  SET cursor = $2, seen_up_to = greatest(seen_up_to, $3::timestamptz),
    held_until = clock_timestamp() + $4::integer * interval '1 millisecond'
  WHERE holder = $1 RETURNING true AS held`;

const completeSweep = `
  UPDATE directory_sweep
  SET kind = NULL, cursor = NULL, updated_since = NULL, holder = NULL, held_until = '-infinity',
    -- a change that is dated in the future must not make later sweeps ask for less
    caught_up_to = (
      SELECT least(newest, clock_timestamp()) FROM (SELECT greatest(caught_up_to, seen_up_to, $2::timestamptz)) AS seen (newest)
      WHERE newest IS NOT NULL),
    completed_at = clock_timestamp(),
    full_completed_at = CASE WHEN kind = 'catch_up' THEN full_completed_at ELSE clock_timestamp() END
  WHERE holder = $1 RETURNING true AS held`;

/** Records the progress of the sweep; without a cursor it is complete. False when another process has taken it over: discard the page. */
export async function moveSweep(
  tx: Tx,
  holder: string,
  place: { cursor: string | null; seenUpTo: string | null },
  { leaseMs }: SweepSchedule,
): Promise<boolean> {
  const rows =
    place.cursor === null
      ? await query(tx, completeSweep, [holder, place.seenUpTo])
      : await query(tx, advanceSweep, [holder, place.cursor, place.seenUpTo, leaseMs]);
  return rows.length > 0;
}

/** Restarts the sweep from the beginning: Auth rejected the cursor, which an upgrade may have made unreadable. */
export async function restartSweep(db: Queryable, holder: string): Promise<void> {
  await query(db, 'UPDATE directory_sweep SET cursor = NULL WHERE holder = $1', [holder]);
}

/** Renews the lease of the sweep while Auth is unavailable. */
export async function keepSweep(db: Queryable, holder: string, { leaseMs }: SweepSchedule): Promise<void> {
  await query(
    db,
    "UPDATE directory_sweep SET held_until = clock_timestamp() + $2::integer * interval '1 millisecond' WHERE holder = $1",
    [holder, leaseMs],
  );
}

/** Releases the sweep when this process stops, so that another one can continue at once. */
export async function releaseSweep(db: Queryable, holder: string): Promise<void> {
  await query(db, "UPDATE directory_sweep SET holder = NULL, held_until = '-infinity' WHERE holder = $1", [holder]);
}

/** Marks stored users that a rebuild did not list, so that each is fetched: Auth reports them as deleted or unknown. */
export async function markUnlisted(tx: Tx): Promise<number> {
  const rows = await query(
    tx,
    `UPDATE directory_users
     SET stale_since = clock_timestamp(), next_fetch_at = clock_timestamp(), attempts = 0
     WHERE NOT is_deleted AND stale_since IS NULL
       AND fetched_at < (SELECT started_at FROM directory_sweep)
     RETURNING id`,
  );
  return rows.length;
}

/**
 * Resumes fetching users with open deletion claims: a claim is checked until Auth answers. During an upgrade, a build that did not know claims may
 * have ended the fetching.
 */
export async function resumeClaims(tx: Tx): Promise<void> {
  await query(
    tx,
    `UPDATE directory_users SET stale_since = clock_timestamp(), next_fetch_at = clock_timestamp()
     WHERE deletion_claimed_at IS NOT NULL AND stale_since IS NULL AND NOT is_deleted`,
  );
}
