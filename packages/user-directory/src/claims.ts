import { query, type Tx } from '@taskwire/postgres';
import { announce, oldAndNew, type AppliedChange, type AppliedRow, type OnApplied } from './applied-change.ts';
import type { UserEvent } from './events.ts';
import type { UserState } from './user.ts';

// An event's claim ends access at once, so that it takes effect while Auth is unavailable. It is only a claim, because anyone allowed to publish can
// forge an event: the row is stale until Auth has confirmed or denied it.

/** Like `markStale` in events.ts, but also for an unknown user. The stored state already answers an older event. */
const claimDeletion = `
  INSERT INTO directory_users AS stored (id, event_at, deletion_claimed_at, stale_since, next_fetch_at)
  VALUES ($1, $2::timestamptz, clock_timestamp(), clock_timestamp(), clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET
    event_at = greatest(stored.event_at, excluded.event_at),
    deletion_claimed_at = coalesce(stored.deletion_claimed_at, excluded.deletion_claimed_at),
    event_count = stored.event_count + 1,
    stale_since = coalesce(stored.stale_since, excluded.stale_since),
    next_fetch_at = coalesce(
      stored.next_fetch_at,
      greatest(excluded.next_fetch_at, stored.fetched_at + $3::integer * interval '1 millisecond'))
  WHERE NOT stored.is_deleted AND excluded.event_at > coalesce(stored.updated_at, '-infinity')`;

/** Records in the caller's transaction that an event claims the deletion of a user, who loses access immediately. */
export async function recordDeletion(tx: Tx, event: UserEvent, fetchGapMs: number): Promise<void> {
  await query(tx, claimDeletion, [event.user_id, event.timestamp, fetchGapMs]);
}

/**
 * Until the state is known, `tokens_valid_after` only moves forward, so neither order nor version matters. The event has already made the row stale.
 */
const revokeTokens = `
  UPDATE directory_users
  SET tokens_valid_after = $2::timestamptz
  WHERE id = $1 AND NOT is_deleted
    AND $2::timestamptz > coalesce(updated_at, '-infinity') AND $2::timestamptz > coalesce(tokens_valid_after, '-infinity')
  RETURNING ${oldAndNew}, false AS unannounced`;

/** Revokes in the caller's transaction the access granted before the event. */
export async function recordAccessEnd(tx: Tx, event: UserEvent, onApplied: OnApplied | undefined): Promise<void> {
  const rows = await query<AppliedRow>(tx, revokeTokens, [event.user_id, event.timestamp]);
  await announce(tx, rows, onApplied);
}

/** When Auth was queried, and how many events had been received by then. Both are null if Auth was not queried about a stored row. */
export type Asked = { id: string; askedAt: string | null; eventCount: number | null };

// A state applied since the query may be older than the 410, or newer (a restored account): the 410 is then a claim, and the next query resolves it.
// The same applies to events received since. A 410 with no events received since answers every event before it, including forged ones: an event dated
// in the future would otherwise hide later events, and lock out a restored user. The sub-select keeps each condition in one place.
const insertTombstone = `
  INSERT INTO directory_users AS stored (id, is_deleted, gone_at)
  VALUES ($1, true, clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET
    (is_deleted, event_at, tokens_valid_after, gone_at, deletion_claimed_at, stale_since, next_fetch_at, attempts, last_error) = (
      SELECT known.sure,
        CASE WHEN known.again THEN stored.event_at ELSE stored.updated_at END,
        CASE WHEN known.again THEN stored.tokens_valid_after END,
        CASE WHEN known.sure THEN excluded.gone_at ELSE stored.gone_at END,
        CASE WHEN NOT known.sure THEN coalesce(stored.deletion_claimed_at, excluded.gone_at) END,
        CASE WHEN known.again THEN coalesce(stored.stale_since, excluded.gone_at) END,
        CASE WHEN known.again THEN excluded.gone_at + $4::integer * interval '1 millisecond' END,
        0, NULL
      FROM (SELECT sure, NOT sure OR (stored.stale_since IS NOT NULL AND stored.event_count IS DISTINCT FROM $3::integer) AS again
        FROM (SELECT stored.is_deleted OR stored.fetched_at IS NULL OR coalesce(stored.fetched_at < $2::timestamptz, false) AS sure) AS answer
      ) AS known)
  RETURNING ${oldAndNew}, false AS unannounced`;

/** Records in the caller's transaction that Auth returned 410: the user is permanently deleted, unless Auth lists them as active again. */
export async function confirmDeletion(
  tx: Tx,
  { id, askedAt, eventCount }: Asked,
  gapMs: number,
  onApplied: OnApplied | undefined,
): Promise<AppliedChange | undefined> {
  const rows = await query<AppliedRow>(tx, insertTombstone, [id, askedAt, eventCount, gapMs]);
  const [applied] = await announce(tx, rows, onApplied);
  return applied;
}

// A state older than the stored one, for example from a lagging replica, denies nothing. A deleted row has not accepted the active state (the
// restoration is newer than the query), so nothing is final: Auth is queried again.
const acceptFinalState = `
  UPDATE directory_users
  SET stale_since = NULL, next_fetch_at = NULL, attempts = 0, last_error = NULL,
    deletion_claimed_at = NULL,
    tokens_valid_after = CASE WHEN version = $2::integer THEN $3::timestamptz ELSE tokens_valid_after END,
    -- it announced a change that Auth does not know, so later events must not count as older
    event_at = least(event_at, updated_at)
  WHERE id = $1 AND NOT is_deleted AND (version = $2::integer OR deletion_claimed_at IS NULL)
  RETURNING ${oldAndNew}, old.deletion_claimed_at IS NOT NULL AS denied, false AS unannounced`;

/**
 * Accepts a state that Auth returns repeatedly as final, although an event announced something later; this denies the claims of events. Runs in the
 * caller's transaction, which holds the row lock. Undefined when Auth's state is older than the stored one.
 */
export async function acceptAsFinal(
  tx: Tx,
  { id, version, tokens_valid_after: tokensValidAfter }: UserState,
  onApplied: OnApplied | undefined,
): Promise<{ denied: boolean; applied: AppliedChange | undefined } | undefined> {
  const [row] = await query<AppliedRow & { denied: boolean }>(tx, acceptFinalState, [id, version, tokensValidAfter]);
  if (row === undefined) return undefined;
  const [applied] = await announce(tx, [row], onApplied);
  return { denied: row.denied, applied };
}
