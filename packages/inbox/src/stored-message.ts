import type { Job, UnhandledJob } from './job.ts';
import { storedProvenance, type Message } from './message.ts';

/** A message as stored in the tables. */
export type MessageRow = {
  message_id: string | null;
  type: string | null;
  aggregate_id: string | null;
  correlation_id: string | null;
  app_id: string | null;
  /** Seconds since the epoch. */
  sent_at: number | null;
  /** JSON text. */
  headers: string;
  payload: Buffer;
};

/** The columns of a stored message, except its id, read into a `MessageRow`. */
export const readMessageColumns = `
  type, aggregate_id, correlation_id, app_id, extract(epoch FROM sent_at)::float8 AS sent_at, headers::text AS headers, payload`;

/** The columns of a job, in the order of `jobValues`. */
export const jobColumns =
  'message_id, handler, order_key, type, aggregate_id, correlation_id, app_id, sent_at, headers, payload';

/** The first ten parameters of a statement that stores a job. */
export function jobValues({ message, handler, orderKey }: Job | UnhandledJob): unknown[] {
  const { id, type, aggregateId, correlationId, appId, sentAt, headers, payload } = message;
  return [id, handler, orderKey, type, aggregateId, correlationId, appId, sentAt, headers, payload];
}

export function toMessage(row: MessageRow): Message {
  return {
    id: row.message_id ?? undefined,
    type: row.type ?? '',
    aggregateId: row.aggregate_id ?? undefined,
    correlationId: row.correlation_id ?? undefined,
    appId: row.app_id ?? undefined,
    sentAt: row.sent_at ?? undefined,
    provenance: storedProvenance(row.headers),
    transit: undefined,
    headers: row.headers,
    payload: row.payload,
  };
}
