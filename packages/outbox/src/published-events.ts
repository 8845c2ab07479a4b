import { deleteInBatches, type RetentionRule } from '@taskwire/postgres';
import type { LeaderConnection } from './leader-connection.ts';

/** A row of the outbox whose message the broker has confirmed. Times are in microseconds since 1970, by the database's clock. */
export type ConfirmedRow = { id: number; publishedAt: number; confirmedAt: number };

// a restore may bring back a row whose event was published: a conflict must not stop the relay
const recordSql = {
  name: 'outbox.record_published',
  text: `
    WITH deleted AS (
      DELETE FROM outbox WHERE id = ANY ($1::bigint[])
      RETURNING id, message_id, type, aggregate_id, headers, written_at, created_at
    )
    INSERT INTO published_events (message_id, type, aggregate_id, headers, written_at, created_at, published_at, confirmed_at)
    SELECT message_id, type, aggregate_id, headers, written_at, created_at,
      timestamptz 'epoch' + published * interval '1 microsecond', timestamptz 'epoch' + confirmed * interval '1 microsecond'
    FROM deleted JOIN unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS given (id, published, confirmed) USING (id)
    ON CONFLICT DO NOTHING`,
};

/** Deletes confirmed rows from the outbox, and records when they were published and confirmed. */
export async function recordPublished(connection: LeaderConnection, rows: readonly ConfirmedRow[]): Promise<void> {
  const values = [rows.map((row) => row.id), rows.map((row) => row.publishedAt), rows.map((row) => row.confirmedAt)];
  await connection.run(recordSql, values);
}

/** Message ids are version 7, so they sort by time; an event that waited in the outbox is kept for the whole period after its confirm. */
export function publishedEventRetention(): RetentionRule {
  return deleteInBatches({
    table: 'published_events',
    keeps: '7 days after the broker confirmed it',
    because: 'journeys of tasks show it; consumers remember the messages for as long',
    where: "message_id < (SELECT uuidv7(interval '-7 days')) AND confirmed_at < now() - interval '7 days'",
    orderBy: 'message_id',
    dueAt: "confirmed_at + interval '7 days'",
    // adjacent in the table; takes some tens of milliseconds
    batch: 5_000,
  });
}
