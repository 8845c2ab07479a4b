import { isIP } from 'node:net';
import type { AuditEntry } from '@taskwire/contracts';
import { isoMicros, query, type Queryable, type Tx } from '@taskwire/postgres';
import type { AuditActor } from '../domain/audit-context.ts';
import type { AuditFilter, NewAuditEntry } from '../app/ports/audit.ts';
import { conditions, toTimestamp } from './conditions.ts';

/** Longer user agents add no information, and the caller chooses them. */
const longestUserAgent = 300;

/** Appends an entry. With a transaction, it is committed together with the change that it records, or not at all. */
export async function appendAudit(tx: Queryable, entry: NewAuditEntry, count = 1): Promise<void> {
  const { actor, subject, origin } = entry;
  await query(tx, {
    name: 'audit_log.append',
    text: insertEntry,
    values: [
      actor?.kind ?? null,
      idOf(actor),
      entry.action,
      subject?.kind ?? null,
      subject?.id ?? null,
      entry.outcome,
      entry.reason ?? null,
      count,
      toInet(origin.ip),
      origin.userAgent?.slice(0, longestUserAgent) ?? null,
      origin.requestId,
      origin.clientId,
      origin.clientRequestId,
    ],
  });
}

const insertEntry = `
  INSERT INTO audit_log
    (actor_kind, actor_id, action, subject_kind, subject_id, outcome, reason, count, ip, user_agent, request_id, client_id,
     client_request_id)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`;

function idOf(actor: AuditActor | null): string | null {
  return actor !== null && 'id' in actor ? actor.id : null;
}

/**
 * Whether the log already has an entry since then with the same actor, action, reason and client. The caller waits for others about to add the same
 * entry, until the transaction ends.
 */
export async function isRecorded(tx: Tx, entry: NewAuditEntry, since: 'an hour ago' | 'today'): Promise<boolean> {
  const key = [idOf(entry.actor), entry.action, entry.reason ?? null, entry.origin.clientId];
  await query(tx, 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`audit ${JSON.stringify(key)}`]);
  return (await query(tx, findSame(since), key)).length > 0;
}

const starts = {
  'an hour ago': "clock_timestamp() - interval '1 hour'",
  today: "date_trunc('day', clock_timestamp(), 'UTC')",
};

const findSame = (since: keyof typeof starts) => `
  SELECT FROM audit_log
  WHERE actor_id = $1 AND action = $2 AND reason IS NOT DISTINCT FROM $3 AND client_id IS NOT DISTINCT FROM $4
    AND at >= ${starts[since]} LIMIT 1`;

/** Converts to an address that PostgreSQL accepts: without a zone, and IPv4-mapped addresses as IPv4. */
export function toInet(ip: string | null): string | null {
  const address = ip?.split('%')[0]?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
  return isIP(address) === 0 ? null : address;
}

/** Lists entries by (at, id), latest first. New entries are added before the first page, so pages are stable. */
export async function listAudit(db: Queryable, filter: AuditFilter): Promise<AuditEntry[]> {
  const { where, sql, values } = conditions();
  where([filter.actor], (actor) => `actor_id = ${actor}`);
  where([filter.subject], (subject) => `subject_id = ${subject}`);
  where([filter.action], (action) => `action = ${action}`);
  where([filter.outcome], (outcome) => `outcome = ${outcome}`);
  where([filter.client], (client) => `client_id = ${client}`);
  where([filter.ip], (network) => `ip <<= ${network}::inet`);
  where([toTimestamp(filter.since)], (since) => `at >= ${since}::timestamptz`);
  where([toTimestamp(filter.until)], (until) => `at < ${until}::timestamptz`);
  const { after } = filter;
  where([after?.at, after?.id], (at, id) => `(at, id) < (${at}::timestamptz, ${id}::uuid)`);
  return await query<AuditEntry>(
    db,
    `SELECT ${columns} FROM audit_log WHERE ${sql()}
     ORDER BY audit_log.at DESC, id DESC LIMIT ${filter.limit}`,
    values,
  );
}

const columns = `
  id, ${isoMicros('audit_log.at')} AS at, action, outcome, reason, count, host(ip) AS ip, user_agent, request_id, client_id,
  client_request_id,
  CASE WHEN actor_kind IS NOT NULL THEN json_build_object('kind', actor_kind, 'id', actor_id) END AS actor,
  CASE WHEN subject_kind IS NOT NULL THEN json_build_object('kind', subject_kind, 'id', subject_id) END AS subject`;
