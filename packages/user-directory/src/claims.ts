import { query, type Tx } from '@taskwire/postgres';
import { announce, oldAndNew, type AppliedChange, type AppliedRow, type OnApplied } from './applied-change.ts';
import { isNewerThanState, setNewestEvent, type Recording, type UserEvent } from './events.ts';
import type { UserState } from './user.ts';

// A claim in an event ends access at once, so that it takes effect while Auth is unavailable. It is only a claim, because any permitted publisher can
// forge an event: the row stays stale until Auth has confirmed or denied the claim.

/** Like `markStale` in events.ts, but also for an unknown user. An older event needs no fetch, because the stored state is newer. */
const claimDeletion = `
  INSERT INTO directory_users AS stored (id, event_at, event_epoch, deletion_claimed_at, stale_since, next_fetch_at)
  VALUES ($1, $2::timestamptz, $4, clock_timestamp(), clock_timestamp(), clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET ${setNewestEvent},
    deletion_claimed_at = coalesce(stored.deletion_claimed_at, excluded.deletion_claimed_at),
    event_count = stored.event_count + 1,
    stale_since = coalesce(stored.stale_since, excluded.stale_since),
    next_fetch_at = coalesce(
      stored.next_fetch_at,
      greatest(excluded.next_fetch_at, stored.fetched_at + $3::integer * interval '1 millisecond'))
  WHERE NOT stored.is_deleted AND ${isNewerThanState}`;

/** Records in the caller's transaction that an event claims the deletion of a user, who loses access immediately. */
export async function recordDeletion(tx: Tx, event: UserEvent, { gapMs, sourceEpoch }: Recording): Promise<void> {
  await query(tx, claimDeletion, [event.user_id, event.timestamp, gapMs, sourceEpoch]);
}

/**
 * Until the state is known, `tokens_valid_after` only moves forward, so neither the order of events nor their versions matter. The event has already
 * made the row stale.
 */
const revokeTokens = `
  UPDATE directory_users
  SET tokens_valid_after = $2::timestamptz
  WHERE id = $1 AND NOT is_deleted
    AND ($3::integer, $2::timestamptz) > (source_epoch, coalesce(updated_at, '-infinity')) AND $2::timestamptz > coalesce(tokens_valid_after, '-infinity')
  RETURNING ${oldAndNew}, false AS unannounced`;

/** Revokes, in the caller's transaction, the access granted before the event. */
export async function recordAccessEnd(
  tx: Tx,
  event: UserEvent,
  { sourceEpoch, onApplied }: Pick<Recording, 'sourceEpoch'> & { onApplied: OnApplied | undefined },
): Promise<void> {
  const rows = await query<AppliedRow>(tx, revokeTokens, [event.user_id, event.timestamp, sourceEpoch]);
  await announce(tx, rows, onApplied);
}

/** The time when Auth was queried, and the number of events received by then. Both are null if Auth was not queried about a stored row. */
export type Asked = { id: string; askedAt: string | null; eventCount: number | null };

// A state applied since the query may be older than the 410, or newer (a restored account): the 410 is then treated as a claim, which the next query
// resolves. The same applies if an event was received since the query. Otherwise, the 410 resolves every earlier event, including forged ones: an
// event dated in the future could otherwise hide later events, and lock out a restored user. Because of the sub-select, each condition is written
// only once.
const insertTombstone = `
  INSERT INTO directory_users AS stored (id, is_deleted, gone_at)
  VALUES ($1, true, clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET
    (is_deleted, event_at, event_epoch, tokens_valid_after, gone_at, deletion_claimed_at, stale_since, next_fetch_at, attempts, last_error) = (
      SELECT known.sure,
        CASE WHEN known.again THEN stored.event_at ELSE stored.updated_at END,
        CASE WHEN known.again THEN stored.event_epoch ELSE stored.source_epoch END,
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

// A state older than the stored one, for example from a lagging replica, denies no claim. If the row is deleted, it has not accepted the active
// state, because the restoration is newer than the query. In that case the state is not final, and Auth is queried again.
const acceptFinalState = `
  UPDATE directory_users
  SET stale_since = NULL, next_fetch_at = NULL, attempts = 0, last_error = NULL,
    deletion_claimed_at = NULL,
    tokens_valid_after = CASE WHEN (source_epoch, version) = ($4::integer, $2::integer) THEN $3::timestamptz ELSE tokens_valid_after END,
    -- it announced a change that Auth does not know, so later events must not count as older
    event_at = CASE WHEN (event_epoch, event_at) > (source_epoch, updated_at) THEN updated_at ELSE event_at END,
    event_epoch = least(event_epoch, source_epoch)
  WHERE id = $1 AND NOT is_deleted AND ((source_epoch, version) = ($4::integer, $2::integer) OR deletion_claimed_at IS NULL)
  RETURNING ${oldAndNew}, old.deletion_claimed_at IS NOT NULL AS denied, false AS unannounced`;

/**
 * Accepts a state that Auth returns repeatedly as final, although an event announced something later; this denies the claims of events. Runs in the
 * caller's transaction, which holds the row lock. Returns undefined if Auth's state is older than the stored one.
 */
export async function acceptAsFinal(
  tx: Tx,
  { id, version, tokens_valid_after: tokensValidAfter, source_epoch: epoch }: UserState,
  onApplied: OnApplied | undefined,
): Promise<{ denied: boolean; applied: AppliedChange | undefined } | undefined> {
  const [row] = await query<AppliedRow & { denied: boolean }>(tx, acceptFinalState, [
    ...[id, version, tokensValidAfter, epoch],
  ]);
  if (row === undefined) return undefined;
  const [applied] = await announce(tx, [row], onApplied);
  return { denied: row.denied, applied };
}
