import { query, type Tx } from '@taskwire/postgres';
import { announce, oldAndNew, type Advance, type AdvanceRow, type OnApplied } from './advance.ts';
import type { UserEvent } from './events.ts';
import type { UserState } from './user.ts';

// What an event claims ends access at once, so that it holds while Auth cannot be asked. It is no more than a claim, because an event can be
// forged by whoever may publish: the row is stale until Auth has confirmed or denied it.

/** As `markStale` in events.ts does, also for a user who is not known. An event that is older than what is held is answered by it. */
const claimDeletion = `
  INSERT INTO directory_users AS held (id, event_at, deletion_claimed_at, stale_since, next_fetch_at)
  VALUES ($1, $2::timestamptz, clock_timestamp(), clock_timestamp(), clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET
    event_at = greatest(held.event_at, excluded.event_at),
    deletion_claimed_at = coalesce(held.deletion_claimed_at, excluded.deletion_claimed_at),
    told = held.told + 1,
    stale_since = coalesce(held.stale_since, excluded.stale_since),
    next_fetch_at = coalesce(
      held.next_fetch_at,
      greatest(excluded.next_fetch_at, held.fetched_at + $3::integer * interval '1 millisecond'))
  WHERE NOT held.is_deleted AND excluded.event_at > coalesce(held.updated_at, '-infinity')`;

/** Notes in the caller's transaction that an event claims the deletion of a user, who has no access from then on. */
export async function noteDeletion(tx: Tx, event: UserEvent, fetchGapMs: number): Promise<void> {
  await query(tx, claimDeletion, [event.user_id, event.timestamp, fetchGapMs]);
}

/** Ends of access only go forward until the state is known, so neither order nor version matters. The event has made the row stale before. */
const endTokens = `
  UPDATE directory_users
  SET tokens_valid_after = $2::timestamptz
  WHERE id = $1 AND NOT is_deleted
    AND $2::timestamptz > coalesce(updated_at, '-infinity') AND $2::timestamptz > coalesce(tokens_valid_after, '-infinity')
  RETURNING ${oldAndNew}, false AS unannounced`;

/** Ends in the caller's transaction the access that was given before the event. */
export async function noteAccessEnd(tx: Tx, event: UserEvent, onApplied: OnApplied | undefined): Promise<void> {
  const rows = await query<AdvanceRow>(tx, endTokens, [event.user_id, event.timestamp]);
  await announce(tx, rows, onApplied);
}

/** When Auth was asked, and how many events had been heard by then; neither is known where nobody was asked for that this service held. */
export type Asked = { id: string; askedAt: string | null; told: number | null };

// A state that was taken on since the question may be older than the 410, or newer (an account that was restored): the 410 is a claim then, and the
// next question has the answer. So have events that came in since. A 410 with nothing heard since answers every event before it, forged ones
// included: one dated in the future would otherwise hide later events, and keep out a user who is restored. In a sub-select, so that each condition
// stands once.
const takeAsGone = `
  INSERT INTO directory_users AS held (id, is_deleted, gone_at)
  VALUES ($1, true, clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET
    (is_deleted, event_at, tokens_valid_after, gone_at, deletion_claimed_at, stale_since, next_fetch_at, attempts, last_error) = (
      SELECT known.sure,
        CASE WHEN known.again THEN held.event_at ELSE held.updated_at END,
        CASE WHEN known.again THEN held.tokens_valid_after END,
        CASE WHEN known.sure THEN excluded.gone_at ELSE held.gone_at END,
        CASE WHEN NOT known.sure THEN coalesce(held.deletion_claimed_at, excluded.gone_at) END,
        CASE WHEN known.again THEN coalesce(held.stale_since, excluded.gone_at) END,
        CASE WHEN known.again THEN excluded.gone_at + $4::integer * interval '1 millisecond' END,
        0, NULL
      FROM (SELECT sure, NOT sure OR (held.stale_since IS NOT NULL AND held.told IS DISTINCT FROM $3::integer) AS again
        FROM (SELECT held.is_deleted OR held.fetched_at IS NULL OR coalesce(held.fetched_at < $2::timestamptz, false) AS sure) AS answer
      ) AS known)
  RETURNING ${oldAndNew}, false AS unannounced`;

/** Writes down in the caller's transaction that Auth answered 410: the user is deleted, for good unless Auth lists them as living again. */
export async function confirmDeletion(
  tx: Tx,
  { id, askedAt, told }: Asked,
  gapMs: number,
  onApplied: OnApplied | undefined,
): Promise<Advance | undefined> {
  const rows = await query<AdvanceRow>(tx, takeAsGone, [id, askedAt, told, gapMs]);
  const [advance] = await announce(tx, rows, onApplied);
  return advance;
}

// A state that is older than the one held, as of a replica that lags, denies nothing. A row that is deleted has not taken the living state on (the
// restoration is newer than the question), so there is nothing to settle: it is asked about again.
const takeAsFinal = `
  UPDATE directory_users
  SET stale_since = NULL, next_fetch_at = NULL, attempts = 0, last_error = NULL,
    deletion_claimed_at = NULL,
    tokens_valid_after = CASE WHEN version = $2::integer THEN $3::timestamptz ELSE tokens_valid_after END,
    -- it told of nothing that Auth knows, so later events must not count as older
    event_at = least(event_at, updated_at)
  WHERE id = $1 AND NOT is_deleted AND (version = $2::integer OR deletion_claimed_at IS NULL)
  RETURNING ${oldAndNew}, old.deletion_claimed_at IS NOT NULL AS denied, false AS unannounced`;

/**
 * Takes in the caller's transaction, which has the row locked, what Auth says again and again as final, although an event told of something later:
 * what events claimed is denied with that. Undefined when what Auth says is older than what is held.
 */
export async function takeStateAsFinal(
  tx: Tx,
  { id, version, tokens_valid_after: tokensValidAfter }: UserState,
  onApplied: OnApplied | undefined,
): Promise<{ denied: boolean; advance: Advance | undefined } | undefined> {
  const [row] = await query<AdvanceRow & { denied: boolean }>(tx, takeAsFinal, [id, version, tokensValidAfter]);
  if (row === undefined) return undefined;
  const [advance] = await announce(tx, [row], onApplied);
  return { denied: row.denied, advance };
}
