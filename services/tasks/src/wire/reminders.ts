import { createLoop, type Loop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { sendReminders } from '../app/send-reminders.ts';
import { observeReminders } from '../postgres/reminder-metrics.ts';
import { createReminders } from '../postgres/reminders.ts';

/**
 * A reminder is at most two seconds late. A round looks for reminders that were armed since the last one, and a pause is
 * at most 1.2 times as long, which leaves 0.8 s for the round itself.
 */
const pollMs = 1_000;

/** The loop that sends reminders of due dates. Replicas share the work. */
export function wireReminders(db: Database, telemetry: Telemetry): Loop {
  const reminders = createReminders(db);
  const observe = observeReminders(async () => await reminders.untilNextMs(), telemetry);
  let timer: NodeJS.Timeout | undefined;
  const loop = createLoop({
    name: 'reminders',
    tick: async () => await sendReminders({ reminders, wakeIn, observe }),
    intervalMs: pollMs,
    logger: telemetry.logger,
  });

  function wakeIn(ms: number): void {
    clearTimeout(timer);
    // for a later reminder, the next poll is early enough
    if (ms < 2 * pollMs) timer = setTimeout(loop.wake, ms).unref();
  }

  return loop;
}
