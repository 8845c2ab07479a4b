import type { Logger } from '@taskwire/telemetry';
import type { Pool } from 'pg';
import { Gauge, type Registry } from 'prom-client';

/** The difference between two clocks within which tokens are accepted (`clockTolerance` of the authenticator), in milliseconds. */
const toleratedMs = 5_000;
/** Half the lifetime of an access token. With a larger difference, new tokens could look expired, or expired tokens could look valid. */
const unusableMs = 300_000;

/**
 * Compares this process's clock with the database's. Versions and order depend on the database alone, but tokens, back-off and schedules depend on
 * the process's clock.
 * @returns a warning if they differ by more than five seconds.
 * @throws if they differ by five minutes or more.
 */
export function createClockCheck(
  pool: Pool,
  { logger, metrics }: { logger: Logger; metrics: Registry },
): () => Promise<{ warning: string } | undefined> {
  let offsetMs = 0;
  let logged = false;
  const name = 'clock_offset_seconds';
  if (metrics.getSingleMetric(name) === undefined) {
    new Gauge({
      name,
      help: "This process's clock minus the database's, when it was last compared.",
      registers: [metrics],
      collect() {
        this.set(offsetMs / 1000);
      },
    });
  }
  return async () => {
    const before = Date.now();
    const { rows } = await pool.query<{ now: number }>(
      'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now',
    );
    // the database read its clock at some time between this process's two readings
    offsetMs = (before + Date.now()) / 2 - (rows[0]?.now ?? before);
    if (Math.abs(offsetMs) <= toleratedMs) {
      logged = false;
      return undefined;
    }
    const text = `the clock of this process is ${Math.round(Math.abs(offsetMs) / 1000)} s ${offsetMs > 0 ? 'ahead of' : 'behind'} the database's; synchronise it (NTP)`;
    if (!logged) logger.error(text, { offset_ms: Math.round(offsetMs) });
    logged = true;
    if (Math.abs(offsetMs) >= unusableMs) throw new Error(text);
    return { warning: text };
  };
}
