import { inboxRetention, type InboxPeriods } from '@taskwire/inbox';
import type { Loop } from '@taskwire/lifecycle';
import {
  createRetention,
  deleteInBatches,
  postgresRetention,
  type Database,
  type TableRetention,
} from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { userDirectoryRetention } from '@taskwire/user-directory';
import type { ContentOf } from '../app/build-notification.ts';
import { eraseActors, isErased } from './erase.ts';

/** Not urgent: erased users were deleted weeks ago, and other expired data are months old. */
const intervalMs = 3_600_000;
/** Notifications per batch. Bounds the duration and locks of a statement: each row takes its deliveries and their attempts along. */
const batch = 500;
/** Rows of a small table without rows that depend on them: some milliseconds. */
const smallRowBatch = 5_000;
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

// ids are UUIDv7, so they sort by time; the subquery makes the bound a single value, which the index can serve
const isOlderThan = 'id < (SELECT uuidv7(make_interval(days => - $1::integer)))';
const olderDueAt = 'uuid_extract_timestamp(id) + make_interval(days => $1::integer)';

/** The retention of the tables of Notifications alone. */
function ownRetention({ notificationDays, content }: NotificationRetention): TableRetention {
  const older = { orderBy: 'id', dueAt: olderDueAt, batch };
  const leaves = 'it leaves with its notification (rules `notifications…`)';
  return {
    rules: [
      deleteInBatches({
        table: 'notifications',
        name: 'notifications of erased users',
        keeps: 'until Auth has erased its recipient',
        because: 'it has their name, and the responses of mail servers have their address',
        where: `user_id IN (SELECT id FROM directory_users WHERE ${isErased})`,
        dueAt: '(SELECT updated_at FROM directory_users erased WHERE erased.id = user_id)',
        batch,
      }),
      eraseActors(content),
      deleteInBatches({
        table: 'notifications',
        keeps: `${notificationDays} days (NOTIFICATION_DAYS)`,
        because: "a year: for older events, the task's activity log remains",
        where: isOlderThan,
        values: () => [notificationDays],
        ...older,
      }),
      deleteInBatches({
        table: 'notifications',
        name: 'notifications without a user',
        keeps: `${withoutUserDays} days`,
        because:
          'mails to recipients without an account, whose addresses mail servers repeat; questions about an invitation come within weeks',
        where: `${isOlderThan} AND user_id IS NULL`,
        values: () => [withoutUserDays],
        ...older,
      }),
      deleteInBatches({
        table: 'mail_counts',
        keeps: countsKept,
        because:
          'longer than any delivery is retried plus any window; after that the count of a mail is no longer needed',
        where: `planned_at < now() - interval '${countsKept}'`,
        orderBy: 'planned_at',
        dueAt: `planned_at + interval '${countsKept}'`,
        batch: smallRowBatch,
      }),
      deleteInBatches({
        table: 'task_cache',
        keeps: `${notificationDays} days after it was last fetched (NOTIFICATION_DAYS)`,
        because: 'as long as a notification about the task; a task that is needed later is fetched again',
        // ids are UUIDv7 of Tasks: the key finds old tasks, and those in use were fetched since
        where: `${isOlderThan} AND fetched_at < now() - make_interval(days => $1::integer)`,
        values: () => [notificationDays],
        orderBy: 'id',
        dueAt: 'fetched_at + make_interval(days => $1::integer)',
        batch: smallRowBatch,
      }),
    ],
    kept: { deliveries: leaves, delivery_attempts: leaves },
  };
}

/** The retention of every table in the database of Notifications. */
export function tableRetention(periods: NotificationRetention & InboxPeriods): TableRetention[] {
  return [ownRetention(periods), inboxRetention(periods), userDirectoryRetention, postgresRetention];
}

/** Deletes or erases what Notifications keeps for a limited time. */
export function notificationRetention(db: Database, periods: NotificationRetention, telemetry: Telemetry): Loop {
  return createRetention({ db, rules: ownRetention(periods).rules, intervalMs, telemetry });
}
