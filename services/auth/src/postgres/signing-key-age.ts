import { query, type Queryable } from '@taskwire/postgres';
import { Gauge, type Registry } from 'prom-client';

const readAge = `
  SELECT extract(epoch FROM clock_timestamp() - max(signs_from))::float8 AS seconds
  FROM signing_keys WHERE signs_from <= clock_timestamp()`;

/** Registers the age of the key that signs, and the period after which the schedule replaces it. While the database is unavailable, the age is missing. */
export function observeSigningKey(metrics: Registry, db: Queryable, rotationSeconds: number): void {
  const registers = [metrics];
  new Gauge({
    name: 'auth_signing_key_age_seconds',
    help: 'How long the signing key has been signing tokens.',
    registers,
    async collect() {
      const [row] = await query<{ seconds: number | null }>(db, readAge).catch(() => []);
      this.set(row?.seconds ?? Number.NaN);
    },
  });
  new Gauge({
    name: 'auth_signing_key_rotation_seconds',
    help: 'The age at which the schedule replaces the signing key (KEY_ROTATION_DAYS).',
    registers,
  }).set(rotationSeconds);
}
