import { createLoop, type Loop } from '@taskwire/lifecycle';
import { query, type Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import type { InboxMetrics } from './metrics.ts';

/** Deleting this many rows takes some tens of milliseconds. The rows are adjacent in the table and at the left edge of its key. */
const batch = 5_000;
const everyMs = 60_000;

// Starts from `$1`, so that recently deleted index entries are not scanned again. The id carries the time at which the message was created, and
// received_at the time at which it arrived. A message that was in transit for longer than the retention is still remembered for the full retention.
const deleteBatch = `
  WITH old AS (
    SELECT message_id, handler FROM inbox
    WHERE message_id >= $1::uuid AND message_id < $2::uuid
      AND received_at < now() - $3::float8 * interval '1 millisecond'
    ORDER BY message_id LIMIT ${batch})
  , gone AS (DELETE FROM inbox i USING old WHERE i.message_id = old.message_id AND i.handler = old.handler)
  SELECT max(message_id::text) AS last, count(*)::integer AS count FROM old`;

const nil = '00000000-0000-0000-0000-000000000000';

/** Deletes message ids beyond their retention, one batch per round until none is left. */
export function createRetention(options: {
  db: Database;
  retentionMs: number;
  metrics: InboxMetrics;
  logger: Logger;
}): Loop {
  const { db, retentionMs, metrics, logger } = options;
  let from = nil;
  return createLoop({
    name: 'inbox retention',
    intervalMs: everyMs,
    logger,
    async tick() {
      const values = [from, lowestUuidOf(Date.now() - retentionMs), retentionMs];
      const [row] = await query<{ last: string | null; count: number }>(db.pool, { text: deleteBatch, values });
      const count = row?.count ?? 0;
      metrics.expired.inc(count);
      from = count < batch ? nil : (row?.last ?? nil);
      return count < batch ? 'idle' : 'more';
    },
  });
}

/** The lowest version 7 UUID of a millisecond. RFC 9562 puts the time into the first 48 bits. */
function lowestUuidOf(ms: number): string {
  const hex = Math.max(0, ms).toString(16).split('.')[0]?.padStart(12, '0') ?? '';
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
