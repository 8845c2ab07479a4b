import { query, type Queryable } from '@taskwire/postgres';
import type { PublicJwk, SealedKey, SealedKeys } from '../app/ports.ts';

/** The signing keys as the database has them, private parts sealed. */
export function createSealedKeys(db: Queryable): SealedKeys {
  return {
    async all() {
      const rows = await query<{ kid: string; public_jwk: PublicJwk; private_key: Buffer; is_active: boolean }>(
        db,
        `SELECT kid, public_jwk, private_key, retired_at IS NULL AS is_active FROM signing_keys ORDER BY created_at`,
      );
      return rows.map((row): SealedKey => ({
        kid: row.kid,
        publicJwk: row.public_jwk,
        sealedPrivateKey: row.private_key,
        isActive: row.is_active,
      }));
    },
    async addFirst(key) {
      await query(
        db,
        `INSERT INTO signing_keys (kid, public_jwk, private_key) VALUES ($1, $2, $3)
         ON CONFLICT ((true)) WHERE retired_at IS NULL DO NOTHING`,
        [key.kid, key.publicJwk, key.sealedPrivateKey],
      );
    },
  };
}
