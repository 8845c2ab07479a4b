import { createLoop, type Component, type Loop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Logger, Telemetry } from '@taskwire/telemetry';
import type { Env } from '../env.ts';
import type { RecordedAudit } from '../postgres/audit.ts';
import { authRetention } from '../postgres/retention.ts';
import { retentionPeriods } from './retention.ts';
import type { KeyRotation } from '../tokens/signing-keys.ts';

/** Rotation periods are days; after a downtime, a replica is late by no more than this. */
const keyScheduleIntervalMs = 60_000;
/** Short, so that a flood appears in the log while it lasts. */
const refusalFlushMs = 60_000;

type Parts = { db: Database; audit: RecordedAudit; rotation: KeyRotation; telemetry: Telemetry };

/** The scheduled work that is not about single accounts. */
export function wireLoops(env: Env, { db, audit, rotation, telemetry }: Parts) {
  const { logger } = telemetry;
  return {
    retention: authRetention(db, retentionPeriods(env), telemetry),
    keySchedule: createLoop({
      name: 'key schedule',
      async tick() {
        const { added, removed } = await rotation.keepSchedule();
        if (added) logger.info('published next signing key; it signs after the overlap');
        if (removed.length > 0) logger.info('removed retired signing keys', { kids: removed });
        return 'idle';
      },
      intervalMs: keyScheduleIntervalMs,
      logger,
    }),
    refusalFlush: refusalFlushLoop(audit, logger),
  };
}

/** Writes counted refusals to the audit log. On stop, the counts of the unfinished period are written too. */
function refusalFlushLoop(audit: RecordedAudit, logger: Logger): Loop & Component {
  const loop = createLoop({
    name: 'refusal flush',
    async tick() {
      await audit.flush();
      return 'idle';
    },
    intervalMs: refusalFlushMs,
    logger,
  });
  return {
    ...loop,
    async stop() {
      await loop.stop();
      // if the database is unavailable, the counts are lost, as they are if the process is killed
      await audit.flush().catch((error: unknown) => logger.warn('dropped unflushed refusal counts', { error }));
    },
  };
}
