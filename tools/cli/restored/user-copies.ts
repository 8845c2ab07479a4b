import { query, type Database } from '@taskwire/postgres';
import type { ConsumerName } from '../../../infra/local/running-file.ts';

// Statements on tables of a service. Only the commands for a restored suite may bypass the service in this way.

/** Rows per statement: a few hundred kilobytes. */
const batch = 1_000;

const iso = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const readCopies = `
  SELECT id, $1::text AS service, source_epoch, version, role, email, name, is_deleted, deletion_version,
    ${iso('gone_at')} AS gone_at, deletion_claimed_at IS NOT NULL AS is_deletion_claimed, ${iso('event_at')} AS event_at, event_epoch
  FROM directory_users WHERE $2::uuid IS NULL OR id > $2 ORDER BY id LIMIT ${batch}`;

/** Returns the users of a service's directory, as lines for Auth's command `user recover`. */
export async function* userCopies(db: Database, service: ConsumerName): AsyncGenerator<string> {
  for (let after: string | null = null; ;) {
    const rows: { id: string }[] = await query(db.pool, readCopies, [service, after]);
    for (const row of rows) yield `${JSON.stringify(row)}\n`;
    after = rows.at(-1)?.id ?? null;
    if (rows.length < batch) return;
  }
}

/** Makes the service compare its directory with all users of Auth within seconds after both have started. */
export async function requestFullReconciliation(db: Database): Promise<void> {
  await query(db.pool, 'UPDATE directory_reconciliation SET full_completed_at = NULL');
}
