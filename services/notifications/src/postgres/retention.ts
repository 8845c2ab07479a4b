import type { Loop } from '@taskwire/lifecycle';
import { createRetention, deleteInBatches, type Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { ContentOf } from '../app/build-notification.ts';
import { eraseActors, isErased } from './erase.ts';

/** Not urgent: erased users were deleted weeks ago, and other expired data are months old. */
const intervalMs = 3_600_000;
/** Notifications per batch. Bounds the duration and locks of a statement: each row takes its deliveries and their attempts along. */
const batch = 500;
/**
 * Mails are retried for four days (RFC 5321 section 4.5.4.1); questions about whether an invitation arrived come within
 * weeks.
 */
const withoutUserDays = 30;
/** Longer than any delivery is retried plus any window; after that the count of a mail is no longer needed. */
const countsKept = '6 days';

export type NotificationRetention = {
  /** How many days a notification is kept. */
  notificationDays: number;
  /** Creates the in-app text of a notification. */
  content: ContentOf;
};

/** Deletes or erases what Notifications keeps for a limited time. */
export function notificationRetention(
  db: Database,
  { notificationDays, content }: NotificationRetention,
  logger: Logger,
): Loop {
  const rules = [
    // notifications to users erased by Auth: their names, and their addresses in the responses of mail servers
    deleteInBatches(db.pool, {
      table: 'notifications',
      where: `user_id IN (SELECT id FROM directory_users WHERE ${isErased})`,
      batch,
    }),
    // names of erased users in the notifications of others
    eraseActors(db, content),
    deleteInBatches(db.pool, {
      table: 'notifications',
      where: isOlderThan,
      values: () => [notificationDays],
      orderBy: 'id',
      batch,
    }),
    // mails to recipients without an account: mail servers repeat their addresses
    deleteInBatches(db.pool, {
      table: 'notifications',
      where: `${isOlderThan} AND user_id IS NULL`,
      values: () => [withoutUserDays],
      orderBy: 'id',
      batch,
    }),
    deleteInBatches(db.pool, {
      table: 'mail_counts',
      where: `planned_at < now() - interval '${countsKept}'`,
      orderBy: 'planned_at',
      batch: 5_000,
    }),
  ];
  return createRetention({ rules, intervalMs, logger });
}

// ids are UUIDv7, so they sort by time; the subquery makes the bound a single value, which the index can serve
const isOlderThan = 'id < (SELECT uuidv7(make_interval(days => - $1::integer)))';
