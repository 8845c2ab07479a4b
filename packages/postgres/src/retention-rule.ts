import type { Progress } from '@taskwire/lifecycle';
import type { Database } from './handles.ts';

/** A rule that ends the retention of one kind of data, for example by deleting expired rows. */
export type RetentionRule = {
  /** Names the data in errors and metrics. */
  name: string;
  table: string;
  /** How long the data is kept, and why, for docs/retention.md. */
  keeps: string;
  because: string;
  /**
   * Processes one batch of data whose retention has ended. Returns the number of rows, and whether more may be due. Other processes may run the same
   * rule.
   */
  run(db: Database): Promise<{ rows: number; progress: Progress }>;
  /** The time in seconds since the oldest remaining data should have been processed; 0 if no data is due. */
  overdueSeconds(db: Database): Promise<number>;
};

/** The tables of a package or a service: the retention rules, and the reasons for keeping the rows of tables without a rule. */
export type TableRetention = { rules: readonly RetentionRule[]; kept: Readonly<Record<string, string>> };
