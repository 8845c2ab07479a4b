import type { Pool } from 'pg';
import { isUnseenByProbe, outageText } from './unavailable.ts';

/** How long a probe may wait for a table, in milliseconds: probes of orchestrators time out after a second or two. */
const lockWaitMs = 1_000;
/**
 * How long an outage that a probe cannot detect is remembered after it made a statement fail. After this time, consumers and loops retry, and detect
 * the outage again if it continues.
 */
const rememberedMs = 5_000;

/**
 * Makes a test write, and takes on every table the lock that a write takes. This detects a server that is read-only or has run out of disk space or
 * connections, and a table that another session keeps locked, before a statement of the service fails.
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

/** The table with the row that the probe writes. The first migration creates it, and later ones do so if it is missing. */
export const createProbeTable =
  'CREATE TABLE IF NOT EXISTS write_probe (id integer PRIMARY KEY CHECK (id = 1), at timestamptz NOT NULL)';

export type Writability = {
  /** Resolves if the database accepts writes. @throws the reason why it does not. Concurrent callers share one probe. */
  check(): Promise<void>;
  /** Records an error with which a statement failed. */
  note(error: unknown): void;
};

/**
 * Determines whether the database accepts writes, from recent errors of statements and from a probe. `faults` returns reasons that a probe cannot
 * detect.
 */
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
