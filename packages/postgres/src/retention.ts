import { createLoop, type Loop, type Progress } from '@taskwire/lifecycle';
import type { Logger } from '@taskwire/telemetry';
import { outageOf } from './unavailable.ts';

/** A rule that ends one kind of data, such as the deletion of expired rows. */
export type RetentionRule = {
  /** Names the data in errors. */
  name: string;
  /** Processes one batch of the data whose retention has ended. Returns whether more may be left. Other processes may run the same rule. */
  run(): Promise<Progress>;
};

/**
 * Creates the loop that applies rules, one batch of each in turn, so that a backlog of one delays no other. A rule that fails doesn't keep the
 * others from running; in an outage of the database, all wait.
 */
export function createRetention(options: {
  name?: string;
  rules: readonly RetentionRule[];
  /** The longest pause after a round that processed all due data. */
  intervalMs: number;
  logger: Logger;
}): Loop {
  const { name = 'retention', rules, intervalMs, logger } = options;
  return createLoop({
    name,
    intervalMs,
    logger,
    async tick(signal) {
      let progress: Progress = 'idle';
      const failures: Error[] = [];
      for (const rule of rules) {
        if (signal.aborted) break;
        try {
          if ((await rule.run()) === 'more') progress = 'more';
        } catch (error) {
          if (outageOf(error) === 'unavailable') throw error;
          failures.push(new Error(`the retention of ${rule.name} failed`, { cause: error }));
        }
      }
      if (failures.length > 0) throw new AggregateError(failures);
      return progress;
    },
  });
}
