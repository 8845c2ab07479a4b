import { isIP } from 'node:net';
import type { AuditEntry } from '@taskwire/contracts';
import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { AuditFilter, NewAuditEntry } from '../app/audit.ts';
import { conditions, toTimestamp } from './conditions.ts';

/** Longer ones say nothing more, and the caller chooses them. */
const longestUserAgent = 300;

/** Appends an entry. With a transaction it commits together with the change that it tells of, or not at all. */
export async function appendAudit(tx: Queryable, entry: NewAuditEntry, count = 1): Promise<void> {
  const { actor, subject, origin } = entry;
  await query(tx, {
    name: 'append_audit',
    text: insertEntry,
    values: [
      actor?.kind ?? null,
      actor !== null && 'id' in actor ? actor.id : null,
      entry.action,
      subject?.kind ?? null,
      subject?.id ?? null,
      entry.outcome,
      entry.reason ?? null,
      count,
      toInet(origin.ip),
      origin.userAgent?.slice(0, longestUserAgent) ?? null,
      origin.requestId,
    ],
  });
}

const insertEntry = `
  INSERT INTO audit_log
    (actor_kind, actor_id, action, subject_kind, subject_id, outcome, reason, count, ip, user_agent, request_id)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`;

/** What PostgreSQL reads as an address: no zone, and IPv4 as such. */
function toInet(ip: string | null): string | null {
  const address = ip?.split('%')[0]?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
  return isIP(address) === 0 ? null : address;
}

/** Entries by (at, id), latest first. What is added meanwhile is before the first page, so pages are stable. */
export async function listAudit(db: Queryable, filter: AuditFilter): Promise<AuditEntry[]> {
  const { where, sql, values } = conditions();
  where([filter.actor], (actor) => `actor_id = ${actor}`);
  where([filter.subject], (subject) => `subject_id = ${subject}`);
  where([filter.action], (action) => `action = ${action}`);
  where([filter.outcome], (outcome) => `outcome = ${outcome}`);
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
  id, ${isoMicros('audit_log.at')} AS at, action, outcome, reason, count, host(ip) AS ip, user_agent, request_id,
  CASE WHEN actor_kind IS NOT NULL THEN json_build_object('kind', actor_kind, 'id', actor_id) END AS actor,
  CASE WHEN subject_kind IS NOT NULL THEN json_build_object('kind', subject_kind, 'id', subject_id) END AS subject`;
