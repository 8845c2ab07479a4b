import type { Pool } from 'pg';
import { isUnseenByProbe, outageText } from './unavailable.ts';

/** How long a probe may wait for a table, in milliseconds: probes of orchestrators give up after a second or two. */
const lockWaitMs = 1_000;
/** How long an outage counts that a statement met and that a probe cannot see: consumers and loops try again after it, and meet it again. */
const rememberedMs = 5_000;

/**
 * A write, and for every table the lock that a write takes: finds a server that is read-only, out of disk or connections, and a table that
 * somebody keeps locked. Neither needs a statement of the service to fail first.
 */
const probe = `
  DO $probe$
  DECLARE tables text;
  BEGIN
    PERFORM set_config('lock_timeout', '${lockWaitMs}ms', true);
    SELECT string_agg(oid::regclass::text, ', ' ORDER BY oid) INTO tables
    FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace;
    IF tables IS NOT NULL THEN EXECUTE 'LOCK TABLE ' || tables || ' IN ROW EXCLUSIVE MODE'; END IF;
    IF to_regclass('write_probe') IS NOT NULL THEN
      INSERT INTO write_probe (id, at) VALUES (1, clock_timestamp()) ON CONFLICT (id) DO UPDATE SET at = excluded.at;
    END IF;
  END
  $probe$`;

/** The row that the probe writes. Made with the first migration, and by every later one where it is missing. */
export const createProbeTable =
  'CREATE TABLE IF NOT EXISTS write_probe (id integer PRIMARY KEY CHECK (id = 1), at timestamptz NOT NULL)';

export type Writability = {
  /** Resolves when the database takes writes. @throws the reason why not. Callers at the same time share one probe. */
  check(): Promise<void>;
  /** Tells of an error that a statement met. */
  note(error: unknown): void;
};

/** Whether the database takes writes: by what statements met lately, and by a probe. `faults` adds reasons of which a probe knows nothing. */
export function createWritability(pool: Pool, faults: () => string | undefined): Writability {
  let met: { text: string; at: number } | undefined;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    await pool.query(probe);
    const fault = faults();
    if (fault !== undefined) throw new Error(fault);
    if (met !== undefined && performance.now() - met.at < rememberedMs) throw new Error(met.text);
  }

  return {
    async check() {
      running ??= run().finally(() => (running = undefined));
      await running;
    },
    note(error) {
      if (isUnseenByProbe(error)) met = { text: outageText(error), at: performance.now() };
    },
  };
}
