import { nextTimestamp, query, type Database, type Queryable, type RetentionRule } from '@taskwire/postgres';
import { systemContext } from '../domain/audit-context.ts';
import { appendAudit } from './audit-rows.ts';

/** Rows per batch, so that no statement runs long or holds many locks. */
const batch = 500;

export type ErasureSettings = {
  /** Days that a deleted user's address and name are kept. */
  usersAfterDays: number;
  /** Days that the audit log keeps addresses and user agents. */
  auditOriginDays: number;
  /** Days that the audit log keeps an entry at all. */
  auditEntryDays: number;
};

/**
 * Erases the personal data of users deleted long enough ago.
 *
 * The tombstone of a deleted user remains, with a new version: services with a copy of the user find it in their next reconciliation, and erase theirs too.
 */
export function eraseDeletedUsers(db: Database, { usersAfterDays }: ErasureSettings): RetentionRule {
  return {
    name: 'deleted users',
    async run() {
      const erased = await db.transaction(async (tx) => {
        const rows = await query<{ id: string }>(tx, eraseUsers, [usersAfterDays, batch]);
        // includes links configured to be valid for weeks
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
      return erased.length === batch ? 'more' : 'idle';
    },
  };
}

/** Erases old addresses and user agents from the audit log, and deletes old entries. The log is append-only, so a function of the database does both. */
export function retainAudit(db: Queryable, { auditOriginDays, auditEntryDays }: ErasureSettings): RetentionRule {
  return {
    name: 'the audit log',
    async run() {
      const [row] = await query<{ touched: number }>(
        db,
        'SELECT retain_audit_log(make_interval(days => $1), make_interval(days => $2), $3) AS touched',
        [auditOriginDays, auditEntryDays, batch],
      );
      return (row?.touched ?? 0) >= batch ? 'more' : 'idle';
    },
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
