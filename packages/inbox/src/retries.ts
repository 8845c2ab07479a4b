import { query, type Database, type Tx } from '@taskwire/postgres';
import type { Message } from './message.ts';
import { toMessage, type MessageRow } from './stored-message.ts';
import { errorHistory, lockOrder } from './store.ts';

/** A recorded message that this process has leased. */
export type Claim = {
  seq: string;
  lease: string;
  message: Message;
  handler: string;
  orderKey: string | undefined;
  /** The number of attempts, including this one. */
  attempts: number;
  /** The number of earlier attempts that did not count. */
  uncounted: number;
  /** Milliseconds since the message arrived or was replayed. */
  triedForMs: number;
  crashes: number;
};

type ClaimRow = MessageRow & {
  seq: string;
  lease: string;
  message_id: string;
  handler: string;
  order_key: string | null;
  attempts: number;
  uncounted: number;
  tried_for_ms: number;
  crashes: number;
};

// The attempt is counted here, before the handler runs: a message that kills the process has used one up. A remaining lease has expired, so its owner
// died or hung. The rows are selected in an ARRAY, which is evaluated once. PostgreSQL may turn `IN (SELECT …)` into a join that repeats the subquery
// for each row of the table, finds other rows each time, and exceeds the limit. A message whose handler this build does not know belongs to another
// build while two run concurrently during a deploy. After an hour no other build is expected, so the message is claimed and becomes a dead letter.
const claimWhere = (condition: string): string => `
  UPDATE inbox_retries r
  SET attempts = attempts + 1, crashes = crashes + (lease IS NOT NULL)::integer, lease = $1::uuid,
    next_attempt_at = now() + $2::float8 * interval '1 millisecond'
  WHERE seq = ANY (ARRAY(
    SELECT seq FROM inbox_retries
    WHERE state = 'retry' AND next_attempt_at <= now() AND ${condition}
      AND (handler = ANY ($4::text[]) OR next_attempt_at <= now() - interval '1 hour')
    ORDER BY next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED))
  RETURNING seq, lease, message_id, handler, order_key, type, attempts, uncounted, crashes, aggregate_id, correlation_id, app_id,
    extract(epoch FROM now() - tried_since)::float8 * 1000 AS tried_for_ms, extract(epoch FROM sent_at)::float8 AS sent_at, headers::text AS headers, payload`;

const claimDueSql = claimWhere('lease IS NULL');
const claimSuspectSql = claimWhere('lease IS NOT NULL');

// a lost lease is not renewed
const renewSql = `
  UPDATE inbox_retries r SET next_attempt_at = now() + $3::float8 * interval '1 millisecond'
  FROM unnest($1::bigint[], $2::uuid[]) AS held (seq, lease)
  WHERE r.seq = held.seq AND r.lease = held.lease`;

const remove = 'DELETE FROM inbox_retries WHERE seq = $1 AND lease = $2 RETURNING true AS done';

// a replayed message may precede one that is being handled, and waits for it
const promoteNext = `
  UPDATE inbox_retries SET state = 'retry', next_attempt_at = now()
  WHERE state = 'waiting'
    AND seq = (SELECT seq FROM inbox_retries WHERE handler = $1 AND order_key = $2 ORDER BY seq LIMIT 1)
    AND NOT EXISTS (SELECT FROM inbox_retries WHERE handler = $1 AND order_key = $2 AND state = 'retry')`;

// Keep the first error and the latest 29: a two-day outage produces hundreds. $6 is 1 when the attempt doesn't count. An earlier message in the chain
// can only be one replayed in the meantime; it goes first.
const putBack = `
  UPDATE inbox_retries r
  SET lease = NULL, last_error = $4,
    state = CASE WHEN earlier.is_there THEN 'waiting' ELSE 'retry' END,
    next_attempt_at = CASE WHEN NOT earlier.is_there THEN now() + $3::float8 * interval '1 millisecond' END,
    errors = CASE WHEN jsonb_array_length(errors) < 30 THEN errors ELSE errors - 1 END || $5::jsonb,
    attempts = attempts - $6::integer, uncounted = uncounted + $6::integer
  FROM (SELECT EXISTS (SELECT FROM inbox_retries WHERE handler = $7 AND order_key = $8 AND seq < $1) AS is_there) AS earlier
  WHERE seq = $1 AND lease = $2`;

const bury = `
  INSERT INTO dead_letters (
    message_id, handler, type, order_key, seq, reason, error, attempts, errors, aggregate_id, correlation_id, app_id, sent_at, headers,
    payload, received_at)
  SELECT message_id, handler, type, order_key, seq, $3, $4, attempts, errors || $5::jsonb, aggregate_id, correlation_id, app_id, sent_at,
    headers, payload, received_at
  FROM inbox_retries WHERE seq = $1 AND lease = $2
  RETURNING true AS done`;

const holdBack = `
  UPDATE inbox_retries SET state = 'dead', lease = NULL, next_attempt_at = NULL, last_error = $3, errors = errors || $4::jsonb
  WHERE seq = $1 AND lease = $2`;

/** The handlers whose messages are claimed, and the length of the lease. */
type Claiming = { handlers: readonly string[]; leaseMs: number };

/** Claims due messages without an expired lease, in the order in which they came due. */
export async function claimDue(db: Database, limit: number, claiming: Claiming): Promise<Claim[]> {
  return await claim(db, { name: 'inbox claim due', text: claimDueSql }, limit, claiming);
}

/** Renews the leases of claims that this process is still working on. */
export async function renew(db: Database, claims: readonly Claim[], leaseMs: number): Promise<void> {
  if (claims.length === 0) return;
  const values = [claims.map(({ seq }) => seq), claims.map(({ lease }) => lease), leaseMs];
  await query(db.pool, { name: 'inbox renew', text: renewSql, values });
}

/**
 * Claims one message whose previous lease expired because a process died or hung. It is handled alone, so that if it was the cause, no other message
 * is affected.
 */
export async function claimSuspect(db: Database, claiming: Claiming): Promise<Claim | undefined> {
  const [suspect] = await claim(db, { name: 'inbox claim suspect', text: claimSuspectSql }, 1, claiming);
  return suspect;
}

/**
 * Completes a claim, in the caller's transaction, and makes the next message of its key due.
 * @returns false if the lease expired and another process has the message: the caller must roll back.
 */
export async function settle(tx: Tx, { seq, lease, handler, orderKey }: Claim): Promise<boolean> {
  if (orderKey !== undefined) await lockOrder(tx, handler, orderKey);
  const rows = await query(tx, { name: 'inbox settle', text: remove, values: [seq, lease] });
  if (rows.length === 0) return false;
  if (orderKey !== undefined) await letNextGoAhead(tx, handler, orderKey);
  return true;
}

/** Makes the first message of a key due if it is waiting and no other is being handled. The caller's transaction must hold the lock of the key. */
export async function letNextGoAhead(tx: Tx, handler: string, orderKey: string): Promise<void> {
  await query(tx, { name: 'inbox promote', text: promoteNext, values: [handler, orderKey] });
}

/** Releases a claim for a retry, behind an earlier message of its key that was replayed in the meantime. `uncounted`: this attempt does not count. */
export async function retryLater(
  db: Database,
  claimed: Claim,
  { error, waitMs, uncounted }: { error: string; waitMs: number; uncounted: boolean },
): Promise<void> {
  const { seq, lease, handler, orderKey } = claimed;
  const errors = errorHistory(claimed.attempts + claimed.uncounted, error);
  const values = [seq, lease, waitMs, error, errors, uncounted ? 1 : 0, handler, orderKey];
  const statement = { name: 'inbox put back', text: putBack, values };
  if (orderKey === undefined) return void (await query(db.pool, statement));
  await db.transaction(async (tx) => {
    await lockOrder(tx, handler, orderKey);
    await query(tx, statement);
    await letNextGoAhead(tx, handler, orderKey);
  });
}

/** Turns a claim into a dead letter. With `holdsBack`, the messages behind it keep waiting. */
export async function giveUp(
  db: Database,
  claimed: Claim,
  { reason, error, holdsBack }: { reason: string; error: string; holdsBack: boolean },
): Promise<void> {
  const { seq, lease, handler, orderKey } = claimed;
  const errors = errorHistory(claimed.attempts + claimed.uncounted, error);
  await db.transaction(async (tx) => {
    if (orderKey !== undefined) await lockOrder(tx, handler, orderKey);
    const buried = await query(tx, { text: bury, values: [seq, lease, reason, error, errors] });
    if (buried.length === 0) return;
    if (!holdsBack) return void (await settle(tx, claimed));
    await query(tx, { text: holdBack, values: [seq, lease, error, errors] });
    // an earlier message of the key may have been replayed in the meantime
    if (orderKey !== undefined) await letNextGoAhead(tx, handler, orderKey);
  });
}

async function claim(
  db: Database,
  statement: { name: string; text: string },
  limit: number,
  { handlers, leaseMs }: Claiming,
): Promise<Claim[]> {
  const values = [crypto.randomUUID(), leaseMs, limit, handlers];
  const rows = await query<ClaimRow>(db.pool, { ...statement, values });
  return rows.map(toClaim);
}

function toClaim(row: ClaimRow): Claim {
  return {
    seq: row.seq,
    lease: row.lease,
    handler: row.handler,
    orderKey: row.order_key ?? undefined,
    attempts: row.attempts,
    uncounted: row.uncounted,
    triedForMs: row.tried_for_ms,
    crashes: row.crashes,
    message: toMessage(row),
  };
}
