import { isIP } from 'node:net';
import type { AuditEntry } from '@taskwire/contracts';
import { addLogFields } from '@taskwire/telemetry';
import { query, type Database, type Keyset, type Page, type Place, type Queryable, type Tx } from '@taskwire/postgres';
import type { AuditActor } from '../domain/audit-context.ts';
import type { AuditFilter, NewAuditEntry } from '../app/ports/audit.ts';
import { auditEntity } from './entities.ts';
import { toTimestamp } from './filter-values.ts';

/** A longer user agent adds no information, and its text is chosen by the caller. */
const maxUserAgentLength = 300;

/** Appends an entry. With a transaction, the entry is committed together with the change that it records, or not at all. */
export async function appendAudit(tx: Queryable, entry: NewAuditEntry, count = 1): Promise<void> {
  const { actor, subject, origin } = entry;
  logUsersOf(entry);
  await query(tx, {
    ...insertEntry,
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
      origin.userAgent?.slice(0, maxUserAgentLength) ?? null,
      origin.requestId,
      origin.clientId,
      origin.clientRequestId,
    ],
  });
}

/** Adds the users whom an entry names to the later log lines of the request: a caller who logs in is only known from here on. */
export function logUsersOf({ actor, subject }: Pick<NewAuditEntry, 'actor' | 'subject'>): void {
  const caller = actor?.kind === 'user' ? actor.id : undefined;
  if (caller !== undefined) addLogFields({ user_id: caller });
  if (subject?.kind === 'user' && subject.id !== caller) addLogFields({ target_user_id: subject.id });
}

export const insertEntry = {
  name: 'audit_log.append',
  text: `
    INSERT INTO audit_log
      (actor_kind, actor_id, action, subject_kind, subject_id, outcome, reason, count, ip, user_agent, request_id, client_id,
       client_request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
};

function idOf(actor: AuditActor | null): string | null {
  return actor !== null && 'id' in actor ? actor.id : null;
}

/**
 * Whether the log already has an entry since then with the same actor, action, reason and client. Waits for other transactions that are about to add
 * the same entry, and makes later ones wait until this transaction ends.
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

/** Converts an address to a form that PostgreSQL accepts: without a zone, and IPv4-mapped addresses as IPv4. */
export function toInet(ip: string | null): string | null {
  const address = ip?.split('%')[0]?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
  return isIP(address) === 0 ? null : address;
}

/** Lists entries by (at, id), latest first. New entries are added before the first page, so pages stay consistent. */
export async function listAudit(
  db: Pick<Database, 'list'>,
  filter: AuditFilter,
  place: Place,
): Promise<Page<AuditEntry>> {
  return await db
    .list(auditEntity, 'entry')
    .select<'ip', string | null>('ip', 'host(entry.ip)')
    .select<'actor', AuditEntry['actor']>('actor', identified('entry.actor_kind', 'entry.actor_id'))
    .select<'subject', AuditEntry['subject']>('subject', identified('entry.subject_kind', 'entry.subject_id'))
    .where('entry.actor_id = :actor', { actor: filter.actor })
    .where('entry.subject_id = :subject', { subject: filter.subject })
    .where('entry.action = :action', { action: filter.action })
    .where('entry.outcome = :outcome', { outcome: filter.outcome })
    .where('entry.client_id = :client', { client: filter.client })
    .where('entry.ip <<= :ip::inet', { ip: filter.ip })
    .where('entry.at >= :since', { since: toTimestamp(filter.since) })
    .where('entry.at < :until', { until: toTimestamp(filter.until) })
    .page(latestFirst, place);
}

const latestFirst: Keyset = {
  direction: 'DESC',
  columns: { at: { sql: 'entry.at', type: 'timestamptz' }, id: { sql: 'entry.id', type: 'uuid' } },
};

function identified(kind: string, id: string): string {
  return `CASE WHEN ${kind} IS NOT NULL THEN json_build_object('kind', ${kind}, 'id', ${id}) END`;
}
