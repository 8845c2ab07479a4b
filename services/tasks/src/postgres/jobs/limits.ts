import { query, type Queryable } from '@taskwire/postgres';
import type { JobHints, JobLimit, JobLimiting } from '../../app/jobs/ports.ts';

const setLimit = `
  INSERT INTO job_limits (queue, key, max_running, rate_n, rate_ms, updated_by) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (queue, key) DO UPDATE SET max_running = excluded.max_running, rate_n = excluded.rate_n, rate_ms = excluded.rate_ms,
    updated_by = excluded.updated_by, updated_at = clock_timestamp()`;

const endLimit = 'DELETE FROM job_limits WHERE queue = $1 AND key = $2';

/** A queue has a few limits; more than a page of them would be a mistake. */
const listLimits = `
  SELECT key, max_running, rate_n, rate_ms::float8 AS rate_ms FROM job_limits WHERE queue = $1 ORDER BY key LIMIT 1000`;

type Row = { key: string; max_running: number | null; rate_n: number | null; rate_ms: number | null };

/** The limits of keys. A claim reads them each time, so a change takes effect with the next claim. */
export function limitingJobs(db: Queryable, hints: JobHints): JobLimiting {
  return {
    async setLimit(queue, key, { maxRunning, rate }: JobLimit, by) {
      if (maxRunning === null && rate === null) await query(db, endLimit, [queue, key]);
      else await query(db, setLimit, [queue, key, maxRunning, rate?.n ?? null, rate?.perMs ?? null, by]);
      // only a claim finds out how many jobs the new limit allows
      hints.freed(queue, Infinity);
    },
    async listLimits(queue) {
      const rows = await query<Row>(db, listLimits, [queue]);
      return rows.map(({ key, max_running: maxRunning, rate_n: n, rate_ms: perMs }) => ({
        ...{ key, maxRunning },
        rate: n === null || perMs === null ? null : { n, perMs },
      }));
    },
  };
}
