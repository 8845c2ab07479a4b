import type { Progress } from '@taskwire/lifecycle';
import type { Database } from './handles.ts';

/** A rule that ends one kind of data, such as the deletion of expired rows. */
export type RetentionRule = {
  /** Names the data in errors and metrics. */
  name: string;
  table: string;
  /** How long the data are kept, and why, for docs/retention.md. */
  keeps: string;
  because: string;
  /** Processes one batch of the data whose retention has ended. Returns whether more may be left. Other processes may run the same rule. */
  run(db: Database): Promise<{ rows: number; progress: Progress }>;
  /** The seconds since the oldest data that are left should have been processed; 0 if none are left. */
  overdueSeconds(db: Database): Promise<number>;
};

/** The tables of a package or a service: the rules that end their rows, and the reasons for which the rows of other tables stay. */
export type TableRetention = { rules: readonly RetentionRule[]; kept: Readonly<Record<string, string>> };
