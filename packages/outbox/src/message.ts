import { eventSchemaVersion, subjectFields } from '@taskwire/contracts';
import { partitionHeader, type Partition } from '@taskwire/partitions';
import type { OutgoingMessage } from '@taskwire/rabbit';
import { traceIdIn } from '@taskwire/telemetry';
import type { Row } from './rows.ts';

type StoredHeaders = { traceparent?: string; tracestate?: string; correlation_id?: string };

/** The service that publishes, the partition of its rows, and the epoch of its database. */
export type Sender = { appId: string; partition: Partition; sourceEpoch: number };

/** Returns the AMQP message of a row that is about to be published. The message id is the same however often the row is published. */
export function toMessage(row: Row, { appId, partition, sourceEpoch }: Sender): OutgoingMessage {
  const { correlation_id, traceparent, tracestate }: StoredHeaders = JSON.parse(row.headers);
  const headers: Record<string, string | number> = {
    schema_version: eventSchemaVersion,
    aggregate_id: row.aggregateId,
    created_at: isoMicros(row.createdAt),
    published_at: isoMicros(row.publishedAt),
  };
  // absent in epoch 1, as in messages of releases without epochs
  if (sourceEpoch > 1) headers['source_epoch'] = sourceEpoch;
  if (partition.count > 1) headers['partition'] = partitionHeader(partition);
  if (traceparent !== undefined) headers['traceparent'] = traceparent;
  if (tracestate !== undefined) headers['tracestate'] = tracestate;
  return {
    messageId: row.messageId,
    routingKey: row.type,
    body: Buffer.from(row.payload),
    headers,
    timestamp: Math.floor(row.createdAt / 1_000_000),
    correlationId: correlation_id,
    appId,
  };
}

/** Names the event of a row in the log. */
export function describeRow({ messageId, type, aggregateId, headers, payload }: Row): Record<string, unknown> {
  const stored: StoredHeaders = JSON.parse(headers);
  const subject = subjectFields(type, aggregateId, () => payload);
  const cause = { request_id: stored.correlation_id, trace_id: traceIdIn(stored) };
  return { message_id: messageId, event: type, ...subject, ...cause };
}

/** Formats microseconds since 1970 as ISO 8601 with all six digits, as the database does. */
function isoMicros(micros: number): string {
  const text = new Date(Math.floor(micros / 1_000)).toISOString();
  return `${text.slice(0, -1)}${String(micros % 1_000).padStart(3, '0')}Z`;
}
