import { createLoop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { contentInApp } from './app/notifications/definitions.ts';
import type { Env } from './env.ts';
import { eraseExpired } from './postgres/erase.ts';
import { deleteOldCounts } from './postgres/mail-budget.ts';

/** Not urgent: erased users were deleted weeks ago, and other expired data are months old. */
const erasureIntervalMs = 3_600_000;

export function wireErasure(env: Env, { db, telemetry }: { db: Database; telemetry: Telemetry }) {
  return createLoop({
    name: 'erasure',
    async tick() {
      const progress = [
        await eraseExpired(db, { notificationDays: env.NOTIFICATION_DAYS, content: contentInApp }),
        await deleteOldCounts(db.pool),
      ];
      return progress.includes('more') ? 'more' : 'idle';
    },
    intervalMs: erasureIntervalMs,
    logger: telemetry.logger,
  });
}
