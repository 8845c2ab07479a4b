import type { Loop } from '@taskwire/lifecycle';
import {
  createRetention,
  deleteInBatches,
  overdueSeconds,
  query,
  type Database,
  type RetentionRule,
  type TableRetention,
} from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import type { InboxLimits } from './limits.ts';

/** Deleting this many rows takes some tens of milliseconds. The rows are adjacent in the table and at the low end of its key. */
const batch = 5_000;
/** A dead letter contains its message, which can be as large as a megabyte, so these batches are smaller. */
const deadLetterBatch = 500;
/** At thousands of messages per second, longer intervals would accumulate many batches, which then run without a pause in between. */
const everyMs = 60_000;
const dayMs = 86_400_000;

export type InboxPeriods = Pick<InboxLimits, 'retentionMs' | 'resolvedDeadLetterDays' | 'deadLetterAuditDays'>;

/** The retention of the inbox's tables. */
export function inboxRetention(periods: InboxPeriods): TableRetention {
  const { retentionMs, resolvedDeadLetterDays } = periods;
  const messageIds = deleteInBatches({
    table: 'inbox',
    keeps: `${retentionMs / dayMs} days after it was received`,
    because: 'a duplicate can arrive as late as a relay or broker returns from an outage',
    // The id contains the time at which the message was created, and received_at is the time at which it arrived. A message that was in transit for
    // longer than the retention is still remembered for the full retention.
    where: "message_id < $1::uuid AND received_at < now() - $2::float8 * interval '1 millisecond'",
    values: () => [lowestUuidOf(Date.now() - retentionMs), retentionMs],
    orderBy: 'message_id',
    dueAt: "received_at + $2::float8 * interval '1 millisecond'",
    batch,
  });
  const resolved = deleteInBatches({
    table: 'dead_letters',
    keeps: `${resolvedDeadLetterDays} days after it was replayed or dropped (DEAD_LETTER_DAYS); an open one is kept indefinitely`,
    because: 'it shows which messages an incident affected; an open dead letter is the only copy of its message',
    // a replayed message that never had a handler exists only in this row until a handler is found
    where: 'resolved_at < now() - make_interval(days => $1::integer) AND NOT needs_routing',
    values: () => [resolvedDeadLetterDays],
    orderBy: 'resolved_at',
    dueAt: 'resolved_at + make_interval(days => $1::integer)',
    batch: deadLetterBatch,
  });
  return {
    rules: [messageIds, resolved, deadLetterAudit(periods)],
    kept: { inbox_pending: 'a message leaves when it is handled or becomes a dead letter' },
  };
}

/** The audit is append-only, so a function of the database deletes its entries. */
function deadLetterAudit({ deadLetterAuditDays: days }: InboxPeriods): RetentionRule {
  return {
    name: 'dead_letter_audit',
    table: 'dead_letter_audit',
    keeps: `${days} days (DEAD_LETTER_AUDIT_DAYS)`,
    because: 'a year, plus the time that an audit of that year takes, as for the audit log of Auth',
    async run({ pool }) {
      const text = 'SELECT retain_dead_letter_audit(make_interval(days => $1), $2) AS rows';
      const [row] = await query<{ rows: number }>(pool, text, [days, batch]);
      const rows = row?.rows ?? 0;
      return { rows, progress: rows === batch ? 'more' : 'idle' };
    },
    overdueSeconds: async ({ pool }) =>
      await overdueSeconds(pool, {
        table: 'dead_letter_audit',
        // ids are UUIDv7, so they sort by time
        where: 'id < (SELECT uuidv7(make_interval(days => - $1::integer)))',
        values: () => [days],
        orderBy: 'id',
        dueAt: 'at + make_interval(days => $1::integer)',
      }),
  };
}

/** Deletes message ids and resolved dead letters beyond their retention. */
export function createInboxRetention(options: { db: Database; periods: InboxPeriods; telemetry: Telemetry }): Loop {
  const { db, periods, telemetry } = options;
  const { rules } = inboxRetention(periods);
  return createRetention({ db, name: 'inbox retention', rules, intervalMs: everyMs, telemetry });
}

/** The lowest version 7 UUID of a millisecond. The first 48 bits are the time (RFC 9562). */
function lowestUuidOf(ms: number): string {
  const hex = Math.max(0, ms).toString(16).split('.')[0]?.padStart(12, '0') ?? '';
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
