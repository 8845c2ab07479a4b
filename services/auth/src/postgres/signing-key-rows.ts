import { query, type Database, type Tx } from '@taskwire/postgres';
import type { PublicJwk, SealedKey, SealedKeys } from '../app/ports/signing-keys.ts';
import { appendAudit } from './audit-rows.ts';

/** Serialises the addition of keys: "taskkeys" as a bigint. */
const keysLock = '8386110886709324147';

/** The storage of signing keys in the database, with sealed private parts. */
export function createSealedKeys(db: Pick<Database, 'pool' | 'transaction'>): SealedKeys {
  async function locked<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return await db.transaction(async (tx) => {
      await query(tx, 'SELECT pg_advisory_xact_lock($1::bigint)', [keysLock]);
      return await work(tx);
    });
  }

  return {
    async all() {
      const rows = await query<KeyRow>(db.pool, selectKeys);
      return rows.map((row): SealedKey => ({
        kid: row.kid,
        publicJwk: row.public_jwk,
        sealedPrivateKey: row.private_key,
        signsInMs: row.signs_in_ms,
      }));
    },
    async addFirst(key) {
      await locked(async (tx) => {
        const values = [key.kid, key.publicJwk, key.sealedPrivateKey];
        await query(tx, `${insertKey} clock_timestamp() WHERE NOT EXISTS (SELECT FROM signing_keys)`, values);
      });
    },
    async addNext(key, afterSeconds, context) {
      return await locked(async (tx) => {
        const added = await query(tx, `${insertNext} RETURNING kid`, [
          key.kid,
          key.publicJwk,
          key.sealedPrivateKey,
          afterSeconds,
        ]);
        if (added.length === 0) return false;
        await appendAudit(tx, {
          ...context,
          action: 'keys.rotate',
          subject: { kind: 'key', id: key.kid },
          outcome: 'success',
        });
        return true;
      });
    },
    async replaceSealed(reseal, context) {
      return await locked(async (tx) => {
        const rows = await query<{ kid: string; sealed: Buffer }>(tx, selectSealed);
        const resealed = rows.flatMap((row) => {
          const sealed = reseal(row);
          return sealed === undefined ? [] : [{ kid: row.kid, sealed }];
        });
        for (const { kid, sealed } of resealed) {
          await query(tx, 'UPDATE signing_keys SET private_key = $2 WHERE kid = $1', [kid, sealed]);
          const subject = { kind: 'key', id: kid } as const;
          await appendAudit(tx, { ...context, action: 'keys.reseal', subject, outcome: 'success' });
        }
        return resealed.length;
      });
    },
    async removeRetired(retiredForSeconds) {
      const removed = await query<{ kid: string }>(db.pool, deleteRetired, [retiredForSeconds]);
      return removed.map(({ kid }) => kid);
    },
  };
}

type KeyRow = { kid: string; public_jwk: PublicJwk; private_key: Buffer; signs_in_ms: number };

const selectKeys = `
  SELECT kid, public_jwk, private_key,
    (extract(epoch FROM signs_from - clock_timestamp()) * 1000)::float8 AS signs_in_ms
  FROM signing_keys ORDER BY signs_from DESC`;

// waits for a concurrent removal, so that a removed key is not written again
const selectSealed = 'SELECT kid, private_key AS sealed FROM signing_keys ORDER BY signs_from FOR UPDATE';

const insertKey = 'INSERT INTO signing_keys (kid, public_jwk, private_key, signs_from) SELECT $1, $2, $3,';

// adds no key if one is already waiting to start
const insertNext = `
  ${insertKey} clock_timestamp() + make_interval(secs => $4)
  WHERE NOT EXISTS (SELECT FROM signing_keys WHERE signs_from > clock_timestamp())`;

// a key was retired when its successor started signing
const deleteRetired = `
  DELETE FROM signing_keys retired WHERE EXISTS (
    SELECT FROM signing_keys next
    WHERE next.signs_from > retired.signs_from AND next.signs_from < clock_timestamp() - make_interval(secs => $1)
  ) RETURNING kid`;
