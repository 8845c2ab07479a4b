import type { Database } from '@taskwire/postgres';
import type { Registry } from 'prom-client';
import type { Env } from '../env.ts';
import { observeSigningKey } from '../postgres/signing-key-age.ts';
import { createSealedKeys } from '../postgres/signing-key-rows.ts';
import { createSigningKeys, rotateKeys, type RotationSchedule } from '../tokens/signing-keys.ts';

const daySeconds = 86_400;

/** Wires the signing keys of tokens, and their rotation. */
export function wireKeys(env: Env, db: Database, metrics: Registry) {
  const stored = createSealedKeys(db);
  const secret = env.KEY_ENCRYPTION_SECRET;
  const schedule = rotationSchedule(env);
  observeSigningKey(metrics, db.pool, schedule.rotationSeconds);
  return {
    keys: createSigningKeys(stored, secret),
    rotation: rotateKeys(stored, secret, schedule),
  };
}

export function rotationSchedule(
  env: Pick<Env, 'KEY_ROTATION_DAYS' | 'KEY_OVERLAP_SECONDS' | 'KEY_RETIRED_DAYS'>,
): RotationSchedule {
  return {
    rotationSeconds: env.KEY_ROTATION_DAYS * daySeconds,
    overlapSeconds: env.KEY_OVERLAP_SECONDS,
    retiredSeconds: env.KEY_RETIRED_DAYS * daySeconds,
  };
}
