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

export function toMessage(row: MessageRow): Message {
  return {
    id: row.message_id ?? undefined,
    type: row.type ?? '',
    aggregateId: row.aggregate_id ?? undefined,
    correlationId: row.correlation_id ?? undefined,
    appId: row.app_id ?? undefined,
    sentAt: row.sent_at ?? undefined,
    provenance: storedProvenance(row.headers),
    headers: row.headers,
    payload: row.payload,
  };
}
