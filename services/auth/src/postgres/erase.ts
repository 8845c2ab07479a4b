import { nextTimestamp, overdueSeconds, query, type RetentionRule } from '@taskwire/postgres';
import { systemContext } from '../domain/audit-context.ts';
import { appendAudit } from './audit-rows.ts';

/** The number of rows per batch, limited so that no statement runs for long or holds many locks. */
const batch = 500;

export type ErasureSettings = {
  /** The number of days for which a deleted user's address and name are kept. */
  usersAfterDays: number;
  /** The number of days for which the audit log keeps network addresses and user agents. */
  auditOriginDays: number;
  /** The number of days after which a whole entry of the audit log is deleted. */
  auditEntryDays: number;
};

/**
 * Erases the personal data of users deleted long enough ago.
 *
 * The tombstone of a deleted user remains, with a new version: services with a copy of the user find the new version in their next reconciliation,
 * and erase their copies too.
 */
export function eraseDeletedUsers({ usersAfterDays }: ErasureSettings): RetentionRule {
  return {
    name: 'deleted users',
    table: 'users',
    keeps: `name and address ${usersAfterDays} days after the deletion (ERASE_DELETED_USERS_DAYS); the rest of the row permanently`,
    because:
      'time to notice a mistake, or to answer questions; ids stay, so that the audit log and the copies of other services can refer to them',
    async run(db) {
      const erased = await db.transaction(async (tx) => {
        const rows = await query<{ id: string }>(tx, eraseUsers, [usersAfterDays, batch]);
        // covers even links that are configured to be valid for weeks
        const ids = rows.map(({ id }) => id);
        await query(tx, 'DELETE FROM account_links WHERE user_id = ANY ($1)', [ids]);
        await query(tx, 'DELETE FROM browser_logins WHERE user_id = ANY ($1)', [ids]);
        await query(tx, forgetOrigins, [ids]);
        for (const id of ids) {
          await appendAudit(tx, {
            ...systemContext,
            action: 'user.erase',
            subject: { kind: 'user', id },
            outcome: 'success',
          });
        }
        return ids;
      });
      return { rows: erased.length, progress: erased.length === batch ? 'more' : 'idle' };
    },
    overdueSeconds: async ({ pool }) =>
      await overdueSeconds(pool, {
        table: 'users',
        where: 'erased_at IS NULL AND deleted_at < now() - make_interval(days => $1::integer)',
        values: () => [usersAfterDays],
        orderBy: 'deleted_at',
        dueAt: 'deleted_at + make_interval(days => $1::integer)',
      }),
  };
}

/** Erases old addresses and user agents from the audit log, and deletes old entries. The log is append-only, so a function of the database does both. */
export function retainAudit({ auditOriginDays, auditEntryDays }: ErasureSettings): RetentionRule {
  return {
    name: 'audit_log',
    table: 'audit_log',
    keeps: `${auditEntryDays} days (AUDIT_ENTRY_DAYS); network address and user agent ${auditOriginDays} days (AUDIT_ORIGIN_DAYS)`,
    because:
      'a year, plus the time that an audit of that year takes; addresses and user agents are personal data, and attacks are investigated within weeks',
    async run({ pool }) {
      const [row] = await query<{ touched: number }>(
        pool,
        'SELECT retain_audit_log(make_interval(days => $1), make_interval(days => $2), $3) AS touched',
        [auditOriginDays, auditEntryDays, batch],
      );
      const rows = row?.touched ?? 0;
      return { rows, progress: rows >= batch ? 'more' : 'idle' };
    },
    async overdueSeconds({ pool }) {
      const [entries, origins] = await Promise.all([
        overdueSeconds(pool, olderEntries('true', auditEntryDays)),
        overdueSeconds(pool, olderEntries('(ip IS NOT NULL OR user_agent IS NOT NULL)', auditOriginDays)),
      ]);
      return Math.max(entries, origins);
    },
  };
}

function olderEntries(kind: string, days: number) {
  return {
    table: 'audit_log',
    where: `${kind} AND at < now() - make_interval(days => $1::integer)`,
    values: () => [days],
    orderBy: 'at',
    dueAt: 'at + make_interval(days => $1::integer)',
  };
}

const forgetOrigins = `
  UPDATE sessions SET ip = NULL, user_agent = NULL
  WHERE user_id = ANY ($1) AND (ip IS NOT NULL OR user_agent IS NOT NULL)`;

// services recognise an erased user by the empty address
const eraseUsers = `
  UPDATE users SET
    email = '', pending_email = NULL, name = 'Deleted user', erased_at = clock_timestamp(),
    version = version + 1, updated_at = ${nextTimestamp('updated_at')}
  WHERE id = ANY (ARRAY(
    SELECT id FROM users
    WHERE erased_at IS NULL AND deleted_at < clock_timestamp() - make_interval(days => $1)
    ORDER BY deleted_at LIMIT $2
    FOR UPDATE SKIP LOCKED
  ))
  RETURNING id`;
