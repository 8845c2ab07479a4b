import { query, type Queryable, type Tx } from '@taskwire/postgres';
import type { Answer } from '@taskwire/http-client';
import type { Advance, OnApplied } from './advance.ts';
import { applyStates } from './apply.ts';
import { confirmDeletion, takeStateAsFinal } from './claims.ts';
import type { UserState } from './user.ts';

/**
 * A stale row that this process is to fetch. `eventAt` and `told` are what events had told when it was claimed, `askedAt` is when that was, by this
 * database's clock: before Auth is asked. Times are PostgreSQL's text.
 */
export type Claim = { id: string; eventAt: string | null; told: number; askedAt: string; attempts: number };

/** How a fetch ended, as the label of a metric. */
export type FetchOutcome = 'fetched' | 'deleted' | 'denied' | 'unknown' | 'behind' | 'unavailable' | 'refused';

export type FetchTuning = {
  /** The least time between two fetches of one user, in milliseconds: a storm of events of one user is a few fetches a second. */
  gapMs: number;
  /** Back-off of one row: doubled with each attempt, half of it at random. Milliseconds. */
  backOffBaseMs: number;
  backOffMaxMs: number;
  /** Tries for a state that is not older than the event, before an older one is taken as final. */
  behindTries: number;
  /** Tries for a user that Auth does not know. */
  unknownTries: number;
};

/**
 * The claim moves `next_fetch_at` on by the lease: should the process die, the row comes back by itself. In an ARRAY the rows are chosen once; an
 * `IN (SELECT …)` may be planned as a join that chooses anew for each row of the table, and so takes more than the limit.
 */
const claim = `
  UPDATE directory_users
  SET next_fetch_at = clock_timestamp() + $2::integer * interval '1 millisecond'
  WHERE id = ANY (ARRAY(
    SELECT id FROM directory_users
    WHERE stale_since IS NOT NULL AND next_fetch_at <= clock_timestamp()
    ORDER BY next_fetch_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED))
  RETURNING id, event_at::text AS "eventAt", told, clock_timestamp()::text AS "askedAt", attempts`;

/** Rows that are due, oldest first, at most `limit`; no other process gets them during the lease. */
export async function claimStale(db: Queryable, limit: number, leaseMs: number): Promise<Claim[]> {
  return await query<Claim>(db, claim, [limit, leaseMs]);
}

/** A row that is still stale after its fetch, locked, and whether an event came in since the claim. */
const findBehind = `
  SELECT told <> $2 OR event_at IS DISTINCT FROM $3::timestamptz AS told
  FROM directory_users WHERE id = $1 AND stale_since IS NOT NULL FOR UPDATE`;

const giveBack = `
  UPDATE directory_users
  SET next_fetch_at = clock_timestamp() + $2::integer * interval '1 millisecond', attempts = $3, last_error = $4
  WHERE id = $1 AND stale_since IS NOT NULL`;

/**
 * Stops fetching somebody whom Auth does not know, unless an event came in since the claim: then the row comes back when its lease ends. What is
 * held stays as it is. Somebody who was known, and whose deletion an event claims, is asked for until Auth confirms or denies it.
 */
const giveUpUnknown = `
  UPDATE directory_users
  SET stale_since = NULL, next_fetch_at = NULL, attempts = 0, last_error = $4, deletion_claimed_at = NULL
  WHERE id = $1 AND stale_since IS NOT NULL AND told = $2 AND event_at IS NOT DISTINCT FROM $3::timestamptz
    AND (deletion_claimed_at IS NULL OR fetched_at IS NULL)
  RETURNING true AS done`;

/**
 * Writes down in the caller's transaction what became of a claimed row:
 * - a state: taken on if it is newer. If an event came during the fetch that is newer still, the row is fetched again after the gap. If it is
 *   older than the event that it was fetched for (a read replica lags), it is fetched again with back-off; after `behindTries` it is taken as
 *   final, which denies what events claimed; a sweep has the last word
 * - 410: a tombstone, which confirms a deletion
 * - 404: tried again with back-off, because the row of a new user may lag behind its event; after `unknownTries` no more until another event or a
 *   sweep tells of the user. A user who was known stays as they were: "not found" is not "deleted"
 * - unavailable: tried again, for ever; where Auth could not be asked at all, the row is not to blame and its back-off does not grow
 */
export async function finishFetch(
  tx: Tx,
  claimed: Claim,
  answer: Answer<UserState>,
  tuning: FetchTuning,
  onApplied: OnApplied | undefined,
): Promise<{ outcome: FetchOutcome; advance: Advance | undefined }> {
  const { id, eventAt, told } = claimed;
  const attempts = claimed.attempts + 1;
  const backOff = backOffMs(attempts, tuning);
  switch (answer.kind) {
    case 'ok': {
      const [advance] = await applyStates(tx, [answer.value], onApplied, { askedAt: claimed.askedAt });
      const [behind] = await query<{ told: boolean }>(tx, findBehind, [id, told, eventAt]);
      if (behind === undefined) return { outcome: 'fetched', advance };
      if (behind.told) await query(tx, giveBack, [id, tuning.gapMs, 0, null]);
      else {
        const final = attempts < tuning.behindTries ? undefined : await takeStateAsFinal(tx, answer.value, onApplied);
        if (final !== undefined)
          return { outcome: final.denied ? 'denied' : 'behind', advance: final.advance ?? advance };
        await query(tx, giveBack, [id, backOff, attempts, 'older than its event']);
      }
      return { outcome: 'behind', advance };
    }
    case 'gone': {
      const advance = await confirmDeletion(tx, claimed, tuning.gapMs, onApplied);
      return { outcome: advance?.after.isDeleted === true ? 'deleted' : 'behind', advance };
    }
    case 'not_found': {
      const error = 'Auth does not know this user';
      const givenUp = attempts < tuning.unknownTries ? [] : await query(tx, giveUpUnknown, [id, told, eventAt, error]);
      if (givenUp.length === 0) await query(tx, giveBack, [id, backOff, attempts, error]);
      return { outcome: 'unknown', advance: undefined };
    }
    case 'unavailable': {
      const { reason, detail, retryAfterMs } = answer;
      const wasAsked = !notAsked.has(reason);
      const pauseMs = wasAsked ? Math.max(backOff, retryAfterMs ?? 0) : jittered(retryAfterMs ?? tuning.backOffBaseMs);
      await query(tx, giveBack, [id, Math.ceil(pauseMs), wasAsked ? attempts : claimed.attempts, detail]);
      return { outcome: wasAsked ? 'unavailable' : 'refused', advance: undefined };
    }
  }
}

/** Reasons that are about this process or about Auth as a whole. */
const notAsked: ReadonlySet<string> = new Set(['breaker_open', 'overloaded', 'no_token', 'cancelled']);

function backOffMs(attempts: number, { backOffBaseMs, backOffMaxMs }: FetchTuning): number {
  return Math.ceil(jittered(Math.min(backOffMaxMs, backOffBaseMs * 2 ** Math.min(attempts - 1, 30))));
}

/** From half of it to all of it, so that rows that failed together do not come back together. */
function jittered(ms: number): number {
  return ms / 2 + (Math.random() * ms) / 2;
}
