import { query, type Queryable, type Tx } from '@taskwire/postgres';
import type { Answer } from '@taskwire/http-client';
import { backOffMs, type BackOff } from '@taskwire/lifecycle';
import type { AppliedChange, OnApplied } from './applied-change.ts';
import { applyStates } from './apply.ts';
import { confirmDeletion, acceptAsFinal } from './claims.ts';
import type { UserState } from './user.ts';

/**
 * A stale row claimed by this process. `eventAt` and `eventCount` reflect the events received before the claim; `askedAt` is the time of the claim by
 * this database's clock, and precedes the query to Auth. Times are PostgreSQL's text.
 */
export type Claim = { id: string; eventAt: string | null; eventCount: number; askedAt: string; attempts: number };

/** How a fetch ended, as the label of a metric. */
export type FetchOutcome = 'fetched' | 'deleted' | 'denied' | 'unknown' | 'behind' | 'unavailable' | 'refused';

export type FetchTuning = {
  /** The minimum time between two fetches of one user, in milliseconds: a burst of events about one user causes a few fetches a second. */
  gapMs: number;
  /** Back-off of one row, with equal jitter, so that rows that failed together are not retried together. */
  backOff: BackOff;
  /** The number of attempts to get a state that is not older than the event, before an older state is accepted as final. */
  behindTries: number;
  /** Attempts for a user unknown to Auth. */
  unknownTries: number;
};

/**
 * A claim advances `next_fetch_at` by the lease: if the process dies, the row becomes due again. With ARRAY, the rows are chosen only once; an `IN
 * (SELECT …)` may be planned as a join that chooses again for each row of the table, and so exceeds the limit. This statement does not use
 * `claimDue`, because it needs no fence: a fetch that ends after its lease still applies the fetched state only if its version is newer. Lease
 * columns would only make each stale row larger.
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
  RETURNING id, event_at::text AS "eventAt", event_count AS "eventCount", clock_timestamp()::text AS "askedAt", attempts`;

/** Claims due rows, oldest first, at most `limit`; no other process gets them during the lease. */
export async function claimStale(db: Queryable, limit: number, leaseMs: number): Promise<Claim[]> {
  return await query<Claim>(db, claim, [limit, leaseMs]);
}

/** Finds and locks a row that is still stale after its fetch, and returns whether an event was received since the claim. */
const findBehind = `
  SELECT event_count <> $2 OR event_at IS DISTINCT FROM $3::timestamptz AS "hasNewEvent"
  FROM directory_users WHERE id = $1 AND stale_since IS NOT NULL FOR UPDATE`;

const giveBack = `
  UPDATE directory_users
  SET next_fetch_at = clock_timestamp() + $2::integer * interval '1 millisecond', attempts = $3, last_error = $4
  WHERE id = $1 AND stale_since IS NOT NULL`;

/**
 * Stops fetching a user unknown to Auth, unless an event was received since the claim: the row then becomes due when its lease ends. The stored state
 * is unchanged. A known user whose deletion an event claims is fetched until Auth confirms or denies the deletion.
 */
const stopFetchingUnknown = `
  UPDATE directory_users
  SET stale_since = NULL, next_fetch_at = NULL, attempts = 0, last_error = $4, deletion_claimed_at = NULL
  WHERE id = $1 AND stale_since IS NOT NULL AND event_count = $2 AND event_at IS NOT DISTINCT FROM $3::timestamptz
    AND (deletion_claimed_at IS NULL OR fetched_at IS NULL)
  RETURNING true AS done`;

/**
 * Records in the caller's transaction the result of fetching a claimed row:
 * - a state: applied if it is newer. If an even newer event was received during the fetch, the row is fetched again after the minimum interval. If
 *   the state is older than the event that caused the fetch (a read replica lags), it is fetched again with back-off; after `behindTries` it is
 *   accepted as final, which denies the claims of events; a later reconciliation decides
 * - 410: a tombstone, which confirms a deletion
 * - 404: retried with back-off, because the row of a new user may lag behind its event; not retried after `unknownTries` until another event or a
 *   reconciliation mentions the user. A known user stays unchanged: "not found" is not "deleted"
 * - unavailable: retried indefinitely; if Auth could not be queried at all, this is not the row's fault, so its back-off does not grow
 */
export async function finishFetch(
  tx: Tx,
  claimed: Claim,
  answer: Answer<UserState>,
  tuning: FetchTuning,
  onApplied: OnApplied | undefined,
): Promise<{ outcome: FetchOutcome; applied: AppliedChange | undefined }> {
  const { id, eventAt, eventCount } = claimed;
  const attempts = claimed.attempts + 1;
  const backOff = Math.ceil(backOffMs(attempts, tuning.backOff));
  switch (answer.kind) {
    case 'ok': {
      const [applied] = await applyStates(tx, [answer.value], onApplied, { askedAt: claimed.askedAt });
      const [behind] = await query<{ hasNewEvent: boolean }>(tx, findBehind, [id, eventCount, eventAt]);
      if (behind === undefined) return { outcome: 'fetched', applied };
      if (behind.hasNewEvent) await query(tx, giveBack, [id, tuning.gapMs, 0, null]);
      else {
        const final = attempts < tuning.behindTries ? undefined : await acceptAsFinal(tx, answer.value, onApplied);
        if (final !== undefined)
          return { outcome: final.denied ? 'denied' : 'behind', applied: final.applied ?? applied };
        await query(tx, giveBack, [id, backOff, attempts, 'the state is older than the event']);
      }
      return { outcome: 'behind', applied };
    }
    case 'gone': {
      const applied = await confirmDeletion(tx, claimed, tuning.gapMs, onApplied);
      return { outcome: applied?.after.isDeleted === true ? 'deleted' : 'behind', applied };
    }
    case 'not_found': {
      const error = 'unknown to Auth';
      const givenUp =
        attempts < tuning.unknownTries ? [] : await query(tx, stopFetchingUnknown, [id, eventCount, eventAt, error]);
      if (givenUp.length === 0) await query(tx, giveBack, [id, backOff, attempts, error]);
      return { outcome: 'unknown', applied: undefined };
    }
    case 'unavailable': {
      const { reason, detail, retryAfterMs } = answer;
      const wasAsked = !notAsked.has(reason);
      const pauseMs = wasAsked ? Math.max(backOff, retryAfterMs ?? 0) : jittered(retryAfterMs ?? tuning.backOff.baseMs);
      await query(tx, giveBack, [id, Math.ceil(pauseMs), wasAsked ? attempts : claimed.attempts, detail]);
      return { outcome: wasAsked ? 'unavailable' : 'refused', applied: undefined };
    }
  }
}

/** Reasons that concern this process or Auth as a whole. */
const notAsked: ReadonlySet<string> = new Set(['breaker_open', 'overloaded', 'no_token', 'cancelled']);

function jittered(ms: number): number {
  return backOffMs(1, { baseMs: ms, capMs: ms, jitter: 'equal' });
}
