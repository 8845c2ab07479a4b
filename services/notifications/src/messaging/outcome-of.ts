import { dead, done, unavailable, type Outcome } from '@taskwire/inbox';
import type { Tx } from '@taskwire/postgres';
import type { NewNotification, Plan } from '../app/ports.ts';

/** Converts a plan to the outcome of its message. */
export function outcomeOf(
  plan: Plan,
  writeNotifications: (tx: Tx, notifications: readonly NewNotification[]) => Promise<void> | void,
): Outcome {
  switch (plan.kind) {
    case 'notify':
      return plan.notifications.length === 0
        ? done()
        : done(async (tx) => {
            await writeNotifications(tx, plan.notifications);
          });
    case 'retry_later':
      return unavailable(plan.reason, plan.afterMs);
    case 'impossible':
      return dead(plan.reason);
  }
}
