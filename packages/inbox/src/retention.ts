import type { Loop } from '@taskwire/lifecycle';
import { createRetention, deleteInBatches, type Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { InboxMetrics } from './metrics.ts';

/** Deleting this many rows takes some tens of milliseconds. The rows are adjacent in the table and at the left edge of its key. */
const batch = 5_000;
/** At thousands of messages per second, a longer pause would lead to many batches without a pause in between. */
const everyMs = 60_000;

/** Deletes message ids beyond their retention. */
export function createInboxRetention(options: {
  db: Database;
  retentionMs: number;
  metrics: InboxMetrics;
  logger: Logger;
}): Loop {
  const { db, retentionMs, metrics, logger } = options;
  const messageIds = deleteInBatches(db.pool, {
    table: 'inbox',
    // The id carries the time at which the message was created, and received_at the time at which it arrived. A message that was in transit for
    // longer than the retention is still remembered for the full retention.
    where: "message_id < $1::uuid AND received_at < now() - $2::float8 * interval '1 millisecond'",
    values: () => [lowestUuidOf(Date.now() - retentionMs), retentionMs],
    orderBy: 'message_id',
    batch,
    onDeleted: (count) => metrics.expired.inc(count),
  });
  return createRetention({ name: 'inbox retention', rules: [messageIds], intervalMs: everyMs, logger });
}

/** The lowest version 7 UUID of a millisecond. RFC 9562 puts the time into the first 48 bits. */
function lowestUuidOf(ms: number): string {
  const hex = Math.max(0, ms).toString(16).split('.')[0]?.padStart(12, '0') ?? '';
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
