import type { DeadLetter } from '@taskwire/contracts';
import { defineEntity } from '@taskwire/postgres';

/** A dead letter as shown in lists, with the field names of the contract. */
export const deadLetterEntity = defineEntity<DeadLetter>({
  table: 'dead_letters',
  columns: {
    id: { type: 'uuid' },
    message_id: { type: 'text', nullable: true },
    handler: { type: 'text', nullable: true },
    type: { type: 'text', nullable: true },
    key: { name: 'aggregate_id', type: 'text', nullable: true },
    reason: { type: 'text' },
    error: { type: 'text' },
    attempts: { type: 'integer' },
    state: { type: 'text' },
    received_at: { type: 'timestamp with time zone' },
    dead_at: { type: 'timestamp with time zone' },
    settled_at: { name: 'resolved_at', type: 'timestamp with time zone', nullable: true },
    settled_by: { name: 'resolved_by', type: 'text', nullable: true },
    settled_reason: { name: 'resolved_reason', type: 'text', nullable: true },
    seq: { type: 'bigint', nullable: true, select: false },
  },
  // columns for the details of a dead letter and for its replay
  unmapped: ['order_key', 'errors', 'correlation_id', 'app_id', 'sent_at', 'headers', 'payload', 'needs_routing'],
});
