import { createLoop, type Loop, type Progress } from '@taskwire/lifecycle';
import type { Telemetry } from '@taskwire/telemetry';
import type { Database } from './handles.ts';
import { observeRetention } from './retention-metrics.ts';
import type { RetentionRule, TableRetention } from './retention-rule.ts';
import { outageOf } from './unavailable.ts';

/** The tables that migrations create. */
export const postgresRetention = {
  rules: [],
  kept: {
    schema_migrations: 'one row for each migration; a start compares them with the build',
    source_epoch: 'one row, the identity of the database and its epoch',
    write_probe: 'one row, overwritten by each check of whether the database accepts writes',
  },
} as const satisfies TableRetention;

/**
 * Creates the loop that applies rules, one batch of each in turn, so that a backlog of one rule does not delay the others. If a rule fails, the
 * others still run; during an outage of the database, all of them wait.
 */
export function createRetention(options: {
  db: Database;
  name?: string;
  rules: readonly RetentionRule[];
  /** The longest pause after a round that processed all due data. */
  intervalMs: number;
  telemetry: Telemetry;
}): Loop {
  const { db, name = 'retention', rules, intervalMs, telemetry } = options;
  const { processed } = observeRetention(telemetry, { db, rules });
  return createLoop({
    name,
    intervalMs,
    logger: telemetry.logger,
    async tick(signal) {
      let all: Progress = 'idle';
      const failures: Error[] = [];
      for (const rule of rules) {
        if (signal.aborted) break;
        try {
          const { rows, progress } = await rule.run(db);
          processed.inc({ rule: rule.name }, rows);
          if (progress === 'more') all = 'more';
        } catch (error) {
          if (outageOf(error) === 'unavailable') throw error;
          failures.push(new Error(`the retention of ${rule.name} failed`, { cause: error }));
        }
      }
      if (failures.length > 0) throw new AggregateError(failures);
      return all;
    },
  });
}
