import { onlyRow, query, type Database } from '@taskwire/postgres';
import { measuredGauge, type Telemetry } from '@taskwire/telemetry';
import { Counter } from 'prom-client';
import type { OccurrenceRow } from '../../domain/schedules/schedule.ts';

const lag = `
  SELECT coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS seconds FROM schedules WHERE due_at <= clock_timestamp()`;

/** Measures how late schedules are, on each scrape, and counts decided occurrences. */
export function observeSchedules(
  { pool }: Database,
  telemetry: Telemetry,
): { counted(rows: readonly OccurrenceRow[]): void } {
  measuredGauge(telemetry, {
    name: 'schedule_lag_seconds',
    help: 'How long the earliest due occurrence of a schedule has been due; 0 when none is. Alert when it stays above 10.',
    measure: async (gauge) => gauge.set(onlyRow(await query<{ seconds: number }>(pool, lag)).seconds),
    failure: 'could not measure the lag of schedules',
  });
  const occurrences = new Counter({
    name: 'schedule_occurrences_total',
    help: 'Decided occurrences of schedules. State ran, queued, skipped or failed; reason: why it did not run.',
    labelNames: ['state', 'reason'],
    registers: [telemetry.metrics],
  });
  return {
    counted: (rows) => rows.forEach(({ state, reason }) => occurrences.inc({ state, reason: reason ?? '' })),
  };
}
