import type { Loop } from '@taskwire/lifecycle';
import { createRetention, deleteInBatches, type Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import { eraseDeletedUsers, retainAudit, type ErasureSettings } from './erase.ts';

/** Rows per batch, so that no statement runs long or holds many locks. */
const batch = 1_000;
/** Expired rows do no harm, and periods counted in days need no more frequent check; every ten minutes keeps the tables small. */
const intervalMs = 600_000;

// now() and not clock_timestamp(), which can't use an index: each batch would read the index to its end
const expired = 'expires_at < now()';
const expiredForWeek = "expires_at < now() - interval '7 days'";
const oldestFirst = { orderBy: 'expires_at', batch };

/** Deletes or erases what Auth keeps for a limited time. */
export function authRetention(db: Database, settings: ErasureSettings, logger: Logger): Loop {
  const rules = [
    // reuse of an expired token or code is no evidence of theft
    deleteInBatches(db.pool, { table: 'refresh_tokens', where: expired, ...oldestFirst }),
    deleteInBatches(db.pool, { table: 'oidc_artifacts', where: expired, ...oldestFirst }),
    deleteInBatches(db.pool, { table: 'sessions', where: expiredForWeek, ...oldestFirst }),
    // a mail is retried for four days (RFC 5321 section 4.5.4.1), and until then its sender must be able to read that the link has ended
    deleteInBatches(db.pool, { table: 'account_links', where: expiredForWeek, ...oldestFirst }),
    // the inviter checks on an invitation for some weeks; after that the address has no use
    deleteInBatches(db.pool, {
      table: 'invitations',
      where: `least(ended_at, expires_at) < now() - interval '30 days' AND ${expired}`,
      ...oldestFirst,
    }),
    deleteInBatches(db.pool, { table: 'browser_logins', where: expired, ...oldestFirst }),
    // networks from which the account has not logged in for a long time
    deleteInBatches(db.pool, { table: 'known_networks', where: expired, ...oldestFirst }),
    // counts of attempts whose period is over
    deleteInBatches(db.pool, {
      ...{ table: 'rate_limits', where: 'expire < $1', orderBy: 'expire', batch },
      values: () => [Date.now()],
    }),
    eraseDeletedUsers(db, settings),
    retainAudit(db.pool, settings),
  ];
  return createRetention({ rules, intervalMs, logger });
}
