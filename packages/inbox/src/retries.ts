import { query, type Database, type Tx } from '@taskwire/postgres';
import type { Message } from './message.ts';
import { toMessage, type MessageRow } from './stored-message.ts';
import { errorHistory, lockOrder } from './store.ts';

/** A recorded message that this process is at, until its lease runs out. */
export type Claim = {
  seq: string;
  lease: string;
  message: Message;
  handler: string;
  orderKey: string | undefined;
  /** This one included. */
  attempts: number;
  /** Tries before this one that used up no attempt. */
  uncounted: number;
  /** Since it came, or was replayed. */
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

// The attempt counts from here, before anything is tried: a message that kills the process has used one up. A lease that is still there has
// run out, so whoever had it died or hung. The rows are chosen in an ARRAY, which is evaluated once; of `IN (SELECT …)` PostgreSQL may make a join
// that looks again for each row of the table, finds others each time, and takes more than the limit. Messages of a handler that this build does
// not know are another build's, while two run side by side in a deploy; after an hour it is nobody's, and the message is to be a dead letter.
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

// a lease that was lost meanwhile is not taken back
const renewSql = `
  UPDATE inbox_retries r SET next_attempt_at = now() + $3::float8 * interval '1 millisecond'
  FROM unnest($1::bigint[], $2::uuid[]) AS held (seq, lease)
  WHERE r.seq = held.seq AND r.lease = held.lease`;

const remove = 'DELETE FROM inbox_retries WHERE seq = $1 AND lease = $2 RETURNING true AS done';

// a replayed message may stand before one that is at work, and waits for that one
const promoteNext = `
  UPDATE inbox_retries SET state = 'retry', next_attempt_at = now()
  WHERE state = 'waiting'
    AND seq = (SELECT seq FROM inbox_retries WHERE handler = $1 AND order_key = $2 ORDER BY seq LIMIT 1)
    AND NOT EXISTS (SELECT FROM inbox_retries WHERE handler = $1 AND order_key = $2 AND state = 'retry')`;

// Of many errors the first and the latest are kept: two days of an outage are hundreds. $6: 1 for a try that uses up no attempt. One before it can
// only have been replayed while this was at work, and goes first.
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

/** Whose messages are claimed, and for how long. */
type Claiming = { handlers: readonly string[]; leaseMs: number };

/** Due messages, first those that were never left behind by a process. */
export async function claimDue(db: Database, limit: number, claiming: Claiming): Promise<Claim[]> {
  return await claim(db, { name: 'inbox claim due', text: claimDueSql }, limit, claiming);
}

/** Renews the leases of claims that this process still works on. */
export async function renew(db: Database, claims: readonly Claim[], leaseMs: number): Promise<void> {
  if (claims.length === 0) return;
  const values = [claims.map(({ seq }) => seq), claims.map(({ lease }) => lease), leaseMs];
  await query(db.pool, { name: 'inbox renew', text: renewSql, values });
}

/** One message under which a process died or hung: to be handled alone, so that it can take nobody with it if it was the cause. */
export async function claimSuspect(db: Database, claiming: Claiming): Promise<Claim | undefined> {
  const [suspect] = await claim(db, { name: 'inbox claim suspect', text: claimSuspectSql }, 1, claiming);
  return suspect;
}

/**
 * Settles a claim, in the caller's transaction, and lets the next message of its key go ahead.
 * @returns false when the lease had run out and another process has it: the caller must roll back.
 */
export async function settle(tx: Tx, { seq, lease, handler, orderKey }: Claim): Promise<boolean> {
  if (orderKey !== undefined) await lockOrder(tx, handler, orderKey);
  const rows = await query(tx, { name: 'inbox settle', text: remove, values: [seq, lease] });
  if (rows.length === 0) return false;
  if (orderKey !== undefined) await letNextGoAhead(tx, handler, orderKey);
  return true;
}

/** Makes the first message of a key due if it waits and none is at work. The caller's transaction has the lock of the key. */
export async function letNextGoAhead(tx: Tx, handler: string, orderKey: string): Promise<void> {
  await query(tx, { name: 'inbox promote', text: promoteNext, values: [handler, orderKey] });
}

/** Puts a claim back, to be tried again; behind one of its key that was replayed meanwhile. `uncounted`: this try used up no attempt. */
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

/** Makes a claim a dead letter; with `holdsBack` those behind it go on waiting. */
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
    // those before it, if any were replayed meanwhile
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
