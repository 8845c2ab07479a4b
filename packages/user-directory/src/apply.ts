import { query, type Tx } from '@taskwire/postgres';
import { announce, oldAndNew, type AppliedChange, type AppliedRow, type OnApplied } from './applied-change.ts';
import type { UserState } from './user.ts';

/**
 * Applies states read from Auth, deleted and active alike, if their (epoch, version) is higher than the stored one: a fetch may be slower than the
 * event, and a restored Auth reuses versions. Rows are locked in the order of their ids, so two of these statements never deadlock.
 *
 * A tombstone whose version is unknown (a 410 has none) accepts an active state of the same or a higher version, but only from a query ($3) sent
 * after Auth had returned 410: an earlier response may show the user as they were before the deletion.
 *
 * A rebuild ($4) also accepts an equal version, which repairs a damaged row, except over such a tombstone. It accepts any version if the stored state
 * predates the query, because Auth was then restored from a backup.
 *
 * A build older than email_verified leaves the column null or outdated while a deployment replaces it. The same version may therefore also update
 * email_verified, which does not count as drift.
 */
const upsertStates = `
  INSERT INTO directory_users AS stored
    (id, email, email_verified, name, role, version, updated_at, tokens_valid_after, is_deleted, deletion_version,
    source_epoch, fetched_at)
  SELECT DISTINCT ON (id) id, email, coalesce(email_verified, false), name, role, version, updated_at, tokens_valid_after,
    is_deleted, CASE WHEN is_deleted THEN version END, source_epoch, clock_timestamp()
  FROM jsonb_to_recordset($1::jsonb) AS read(
    id uuid, email text, email_verified boolean, name text, role text, version integer,
    updated_at timestamptz, tokens_valid_after timestamptz, is_deleted boolean, source_epoch integer)
  ORDER BY id, source_epoch DESC, version DESC
  ON CONFLICT (id) DO UPDATE SET
    email = excluded.email,
    email_verified = excluded.email_verified,
    name = excluded.name,
    role = excluded.role,
    version = excluded.version,
    updated_at = excluded.updated_at,
    -- an event may have announced a later end of access than the state that was read
    tokens_valid_after = CASE WHEN (stored.event_epoch, stored.event_at) > (excluded.source_epoch, excluded.updated_at)
      THEN greatest(stored.tokens_valid_after, excluded.tokens_valid_after) ELSE excluded.tokens_valid_after END,
    is_deleted = excluded.is_deleted,
    deletion_version = excluded.deletion_version,
    source_epoch = excluded.source_epoch,
    fetched_at = excluded.fetched_at
  WHERE CASE
      WHEN stored.is_deleted AND stored.deletion_version IS NULL AND NOT excluded.is_deleted
        THEN (stored.source_epoch, stored.version) <= (excluded.source_epoch, excluded.version)
          AND $3::timestamptz > coalesce(stored.gone_at, stored.event_at, '-infinity')
      ELSE (stored.source_epoch, stored.version) < (excluded.source_epoch, excluded.version)
        OR ((stored.source_epoch, stored.version) = (excluded.source_epoch, excluded.version) AND ($4::boolean OR stored.email_verified IS DISTINCT FROM excluded.email_verified))
    END
    OR ($4::boolean AND greatest(stored.fetched_at, stored.gone_at) < $3::timestamptz)
  RETURNING ${oldAndNew},
    coalesce(new.event_at < new.updated_at, true) AND NOT (old.is_deleted IS TRUE AND new.is_deleted)
      AND old.version IS DISTINCT FROM new.version
      -- no event announces that Auth was restored
      AND coalesce(old.source_epoch = new.source_epoch, true)
      AND new.updated_at < clock_timestamp() - $2::integer * interval '1 millisecond' AS unannounced`;

/** A row that is as new as its newest event needs no fetch, and the claims of its events are resolved. */
const markFresh = `
  UPDATE directory_users
  SET stale_since = NULL, next_fetch_at = NULL, attempts = 0, last_error = NULL, deletion_claimed_at = NULL
  WHERE id = ANY($1::uuid[]) AND stale_since IS NOT NULL
    AND version > 0 AND (event_epoch, coalesce(event_at, '-infinity')) <= (source_epoch, updated_at)`;

/** How long an event may take before it counts as lost, in milliseconds: enough time for redelivery and a restart of the broker. */
const announcementGraceMs = 60_000;

/** Applies states in the caller's transaction; returns the rows that changed. */
export async function applyStates(
  tx: Tx,
  states: readonly UserState[],
  onApplied: OnApplied | undefined,
  { askedAt, rebuild = false }: { askedAt: string | null; rebuild?: boolean },
): Promise<AppliedChange[]> {
  if (states.length === 0) return [];
  const rows = await query<AppliedRow>(tx, upsertStates, [
    JSON.stringify(states),
    announcementGraceMs,
    askedAt,
    rebuild,
  ]);
  await query(tx, markFresh, [states.map(({ id }) => id)]);
  return await announce(tx, rows, onApplied);
}
