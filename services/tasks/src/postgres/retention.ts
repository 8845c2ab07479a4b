import type { Loop } from '@taskwire/lifecycle';
import { createRetention, deleteInBatches, type Queryable } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';

/** Responses to requests with an Idempotency-Key are kept for a day, so a delay of ten minutes doesn't matter. */
const intervalMs = 600_000;

/** Deletes what Tasks keeps for a limited time. */
export function taskRetention(db: Queryable, logger: Logger): Loop {
  const responses = deleteInBatches(db, {
    table: 'idempotency_keys',
    where: "created_at < now() - interval '24 hours'",
    orderBy: 'created_at',
    // about 10 ms of work
    batch: 1_000,
  });
  return createRetention({ rules: [responses], intervalMs, logger });
}
