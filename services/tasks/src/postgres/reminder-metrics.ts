import { Histogram } from 'prom-client';
import { measuredGauge, type Telemetry } from '@taskwire/telemetry';
import type { SettledReminder } from '../app/send-reminders.ts';

/** Buckets around the promised two seconds; the last ones show outages. */
const buckets = [0.1, 0.25, 0.5, 1, 1.5, 2, 5, 30, 300, 3_600];

/**
 * Measures how late reminders are. Returns the function that records settled reminders. `untilNextMs` is called on each
 * scrape. Alert when `tasks_reminders_late_seconds` stays above 2: it also grows when no process sends reminders.
 */
export function observeReminders(
  untilNextMs: () => Promise<number | undefined>,
  telemetry: Telemetry,
): (settled: readonly SettledReminder[]) => void {
  measuredGauge(telemetry, {
    name: 'tasks_reminders_late_seconds',
    help: 'How long the earliest unsent reminder of a due date has been due; 0 if none is due.',
    measure: async (gauge) => gauge.set(Math.max(0, -((await untilNextMs()) ?? 0)) / 1_000),
    failure: 'could not read how late reminders are',
  });
  const delays = new Histogram({
    name: 'tasks_reminder_delay_seconds',
    help: 'How long after its time a reminder of a due date was settled, by kind (due_soon, overdue) and state (sent, skipped).',
    labelNames: ['kind', 'state'],
    ...{ buckets, registers: [telemetry.metrics] },
  });
  return (settled) => {
    for (const { kind, state, lateSeconds } of settled) delays.observe({ kind, state }, lateSeconds);
  };
}
