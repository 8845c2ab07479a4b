import { createLoop, type Component, type Loop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Logger, Telemetry } from '@taskwire/telemetry';
import type { Env } from '../env.ts';
import type { RecordedAudit } from '../postgres/audit.ts';
import { authRetention } from '../postgres/retention.ts';
import { retentionPeriods } from './retention.ts';
import type { KeyRotation } from '../tokens/signing-keys.ts';

/** Rotation periods are days; a replica that was down for a while is late by no more than this. */
const keyScheduleIntervalMs = 60_000;
/** Short, so that a flood appears in the log while it lasts. */
const refusalFlushMs = 60_000;

type Parts = { db: Database; audit: RecordedAudit; rotation: KeyRotation; telemetry: Telemetry };

/** The scheduled work that concerns no single account. */
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

/** Writes counted refusals to the audit log. Stopping writes those of the unfinished period too. */
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
      // without a database the counts are lost, as when the process is killed
      await audit.flush().catch((error: unknown) => logger.warn('dropped unflushed refusal counts', { error }));
    },
  };
}
