import { claimDue, query, type Database, type Tx } from '@taskwire/postgres';
import { errorHistory, type DeadLetterWriter, type Failure } from './dead-letter.ts';
import type { RetryDecision } from './decide.ts';
import type { Job } from './job.ts';
import { lockOrder, promoteNext } from './key-order.ts';
import { readMessageColumns, toMessage, type MessageRow } from './stored-message.ts';

/** A recorded message that this process has leased. */
export type Claim = Omit<Job, 'blocksWhenDead'> & {
  seq: string;
  leaseId: string;
  /** The number of attempts that count, including this one. */
  attempts: number;
  /** The number of earlier attempts that do not count. */
  freeAttempts: number;
  /** Milliseconds since the message arrived or was replayed. */
  pendingForMs: number;
  /** The number of leases that expired because a process died or hung. */
  crashCount: number;
};

type ClaimRow = MessageRow & {
  seq: string;
  lease_id: string;
  handler: string;
  order_key: string | null;
  attempts: number;
  free_attempts: number;
  pending_for_ms: number;
  crash_count: number;
};

// The claim counts the attempt before the handler runs, so that a message that kills the process has used one up. A row that still has a lease can
// only be claimed because the lease expired: its owner died or hung. A message whose handler this build does not know belongs to another build while
// two run concurrently during a deploy. After an hour no other build is expected, so the message is claimed and becomes a dead letter.
const claimSql = ({ dueAt, leaseState }: { dueAt: string; leaseState: string }): string => `
  ${claimDue({
    table: 'inbox_pending',
    key: 'seq',
    where: `state = 'retry' AND ${leaseState} AND ${dueAt} <= now()
      AND (handler = ANY ($4::text[]) OR ${dueAt} <= now() - interval '1 hour')`,
    order: dueAt,
    limit: '$3',
    leaseId: '$1::uuid',
    leaseMs: '$2::float8',
    set: 'attempts = attempts + 1, crash_count = crash_count + (lease_id IS NOT NULL)::integer',
  })}
  RETURNING seq, lease_id, message_id, handler, order_key, attempts, free_attempts, crash_count,
    extract(epoch FROM now() - pending_since)::float8 * 1000 AS pending_for_ms, ${readMessageColumns}`;

const claimDueSql = claimSql({ dueAt: 'next_attempt_at', leaseState: 'lease_id IS NULL' });
const claimSuspectSql = claimSql({ dueAt: 'lease_expires_at', leaseState: 'lease_id IS NOT NULL' });

const findSuspectSql = `
  SELECT FROM inbox_pending WHERE lease_id IS NOT NULL AND lease_expires_at <= now() AND handler = ANY ($1::text[]) LIMIT 1`;

// a lost lease is not renewed
const renewLeasesSql = `
  UPDATE inbox_pending p SET lease_expires_at = now() + $3::float8 * interval '1 millisecond'
  FROM unnest($1::bigint[], $2::uuid[]) AS held (seq, lease_id)
  WHERE p.seq = held.seq AND p.lease_id = held.lease_id`;

const removeSql = `
  DELETE FROM inbox_pending WHERE seq = $1 AND lease_id = $2
  RETURNING errors::text AS errors, received_at::text AS received_at`;

// Keep the first error and the latest 29: a two-day outage produces hundreds. $6 is 1 if the attempt doesn't count. An earlier message of the key can
// only be one that was replayed in the meantime; that message goes first.
const releaseSql = `
  UPDATE inbox_pending
  SET lease_id = NULL, lease_expires_at = NULL, last_error = $4,
    state = CASE WHEN earlier.is_there THEN 'waiting' ELSE 'retry' END,
    next_attempt_at = CASE WHEN NOT earlier.is_there THEN now() + $3::float8 * interval '1 millisecond' END,
    errors = CASE WHEN jsonb_array_length(errors) < 30 THEN errors ELSE errors - 1 END || $5::jsonb,
    attempts = attempts - $6::integer, free_attempts = free_attempts + $6::integer
  FROM (SELECT EXISTS (SELECT FROM inbox_pending WHERE handler = $7 AND order_key = $8 AND seq < $1) AS is_there) AS earlier
  WHERE seq = $1 AND lease_id = $2`;

const keepAsBlockerSql = `
  UPDATE inbox_pending
  SET state = 'dead', lease_id = NULL, lease_expires_at = NULL, next_attempt_at = NULL, last_error = $3
  WHERE seq = $1 AND lease_id = $2
  RETURNING errors::text AS errors, received_at::text AS received_at`;

/** The handlers whose messages are claimed, and the length of the lease. */
export type Claiming = { handlers: readonly string[]; leaseMs: number };

/** Claims due messages that have no expired lease, in the order in which they came due. */
export async function claimDueJobs(db: Database, limit: number, claiming: Claiming): Promise<Claim[]> {
  return await claim(db, { name: 'inbox.claim_due', text: claimDueSql }, limit, claiming);
}

/**
 * Claims one message whose previous lease expired because a process died or hung. It is handled alone, so that if it was the cause, no other message
 * is affected.
 */
export async function claimSuspect(db: Database, claiming: Claiming): Promise<Claim | undefined> {
  const [suspect] = await claim(db, { name: 'inbox.claim_suspect', text: claimSuspectSql }, 1, claiming);
  return suspect;
}

/** Whether `claimSuspect` would find a message of one of these handlers. */
export async function hasSuspect(db: Database, { handlers }: Claiming): Promise<boolean> {
  const statement = { name: 'inbox.find_suspect', text: findSuspectSql, values: [handlers] };
  return (await query(db.pool, statement)).length > 0;
}

/** Renews the leases of claims that this process is still working on. */
export async function renewLeases(db: Database, claims: readonly Claim[], leaseMs: number): Promise<void> {
  if (claims.length === 0) return;
  const values = [claims.map(({ seq }) => seq), claims.map(({ leaseId }) => leaseId), leaseMs];
  await query(db.pool, { name: 'inbox.renew_leases', text: renewLeasesSql, values });
}

/**
 * Completes a claim in the caller's transaction, and makes the next message of the key due.
 * @returns false if the lease expired and another process has the message: the caller must roll back.
 */
export async function completeClaim(tx: Tx, { seq, leaseId, handler, orderKey }: Claim): Promise<boolean> {
  if (orderKey !== undefined) await lockOrder(tx, handler, orderKey);
  const rows = await query(tx, { name: 'inbox.remove', text: removeSql, values: [seq, leaseId] });
  if (rows.length === 0) return false;
  if (orderKey !== undefined) await promoteNext(tx, handler, orderKey);
  return true;
}

/** Releases a claim for a retry, behind an earlier message of its key that was replayed in the meantime. */
export async function releaseClaim(
  db: Database,
  claimed: Claim,
  { error, waitMs, isFree }: RetryDecision,
): Promise<void> {
  const { seq, leaseId, handler, orderKey } = claimed;
  const errors = errorHistory(claimed.attempts + claimed.freeAttempts, error);
  const values = [seq, leaseId, waitMs, error, errors, isFree ? 1 : 0, handler, orderKey];
  const statement = { name: 'inbox.release', text: releaseSql, values };
  if (orderKey === undefined) return void (await query(db.pool, statement));
  await db.transaction(async (tx) => {
    await lockOrder(tx, handler, orderKey);
    await query(tx, statement);
    await promoteNext(tx, handler, orderKey);
  });
}

/** Turns a claim into a dead letter. If it blocks its key, the messages behind it keep waiting. */
export async function deadLetterClaim(
  db: Database,
  deadLetter: DeadLetterWriter,
  claimed: Claim & Job,
  failure: Failure,
): Promise<void> {
  const { seq, leaseId, handler, orderKey } = claimed;
  await db.transaction(async (tx) => {
    if (orderKey !== undefined) await lockOrder(tx, handler, orderKey);
    const statement = claimed.blocksWhenDead
      ? { name: 'inbox.keep_as_blocker', text: keepAsBlockerSql, values: [seq, leaseId, failure.error] }
      : { name: 'inbox.remove', text: removeSql, values: [seq, leaseId] };
    const [row] = await query<{ errors: string; received_at: string }>(tx, statement);
    // the lease expired: another process has the message
    if (row === undefined) return;
    const history = { seq, errors: row.errors, receivedAt: row.received_at };
    await deadLetter(tx, claimed, failure, history);
    // the next message of the key, or an earlier one that was replayed in the meantime
    if (orderKey !== undefined) await promoteNext(tx, handler, orderKey);
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
    leaseId: row.lease_id,
    handler: row.handler,
    orderKey: row.order_key ?? undefined,
    attempts: row.attempts,
    freeAttempts: row.free_attempts,
    pendingForMs: row.pending_for_ms,
    crashCount: row.crash_count,
    message: toMessage(row),
  };
}
