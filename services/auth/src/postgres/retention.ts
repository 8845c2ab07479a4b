import type { Loop } from '@taskwire/lifecycle';
import { outboxRetention } from '@taskwire/outbox';
import { partitionRetention } from '@taskwire/partitions';
import {
  createRetention,
  deleteInBatches,
  postgresRetention,
  type Database,
  type TableRetention,
} from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { eraseDeletedUsers, retainAudit, type ErasureSettings } from './erase.ts';

/** The number of rows per batch, limited so that no statement runs for long or holds many locks. */
const batch = 1_000;
/** Expired rows do no harm, and periods counted in days need no more frequent check; an interval of ten minutes keeps the tables small. */
const intervalMs = 600_000;

// now() and not clock_timestamp(), with which each batch would have to read the whole index
const expired = {
  keeps: 'until it expires',
  where: 'expires_at < now()',
  dueAt: 'expires_at',
  orderBy: 'expires_at',
  batch,
};
const expiredForWeek = {
  ...expired,
  keeps: '7 days after it expires',
  where: "expires_at < now() - interval '7 days'",
  dueAt: "expires_at + interval '7 days'",
};

/** The retention of Auth's own tables. */
function ownRetention(settings: ErasureSettings): TableRetention {
  const noEvidence = 'reuse of an expired token or code is no evidence of theft';
  return {
    rules: [
      deleteInBatches({ table: 'refresh_tokens', because: noEvidence, ...expired }),
      deleteInBatches({ table: 'oidc_artifacts', because: noEvidence, ...expired }),
      deleteInBatches({
        ...{ table: 'sessions', because: 'users and support ask about the end of a session within days' },
        ...expiredForWeek,
      }),
      deleteInBatches({
        table: 'account_links',
        because:
          'a mail is retried for four days (RFC 5321 section 4.5.4.1), and until then its sender must be able to read that the link has ended',
        ...expiredForWeek,
      }),
      deleteInBatches({
        ...expired,
        table: 'invitations',
        keeps: '30 days after it ended, and until it expires',
        because: 'the inviter checks on an invitation for some weeks; after that the address has no use',
        where: `least(ended_at, expires_at) < now() - interval '30 days' AND ${expired.where}`,
        dueAt: "greatest(least(ended_at, expires_at) + interval '30 days', expires_at)",
      }),
      deleteInBatches({ table: 'browser_logins', because: 'an expired cookie logs no one in', ...expired }),
      deleteInBatches({
        ...{ table: 'known_networks', because: 'the account has not logged in from that network for a long time' },
        ...expired,
        keeps: 'LOGIN_KNOWN_DAYS after the last log-in from it',
      }),
      deleteInBatches({
        table: 'rate_limits',
        keeps: 'until its period is over',
        because: 'it counts attempts of a period that is over',
        where: 'expire < $1',
        values: () => [Date.now()],
        orderBy: 'expire',
        dueAt: 'to_timestamp(expire / 1000.0)',
        batch,
      }),
      eraseDeletedUsers(settings),
      retainAudit(settings),
    ],
    kept: {
      clients: 'registered and removed by operators',
      mail_requests: 'a queue; a request leaves when its mail is planned',
      signing_keys: 'the rotation removes a key KEY_RETIRED_DAYS after its successor signs',
    },
  };
}

/** The retention of every table in Auth's database. */
export function tableRetention(settings: ErasureSettings): TableRetention[] {
  return [ownRetention(settings), outboxRetention(), partitionRetention, postgresRetention];
}

/** Deletes or erases the data that Auth keeps for a limited time. */
export function authRetention(db: Database, settings: ErasureSettings, telemetry: Telemetry): Loop {
  return createRetention({
    db,
    rules: [...ownRetention(settings).rules, ...outboxRetention().rules],
    intervalMs,
    telemetry,
  });
}
