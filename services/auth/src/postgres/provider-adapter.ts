import { uuid } from '@taskwire/contracts';
import { query, type Database } from '@taskwire/postgres';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { ClientDirectory } from '../app/ports.ts';
import { hashToken, type RefreshTokens } from '../app/refresh-tokens.ts';
import { artifactAdapter } from './artifact-rows.ts';
import { claimToken, endReused } from './refresh-token-rows.ts';

export type ProviderAdapterOptions = {
  db: Database;
  refreshTokens: RefreshTokens;
  /** Seconds in which a refresh token may come again for its successor. */
  graceSeconds: number;
  clients: ClientDirectory;
  /** Called when something that works once came again, and what it belongs to was ended. */
  onReuse: (what: string) => void;
};

/**
 * Where the provider keeps things. Every conditional write is one statement whose row lock lets one of any number of replicas win; the
 * others get the error of the protocol. A grant is a row of `sessions`, and all that came from it is found only while that row has not
 * ended: so one UPDATE revokes everything at once, also what a request that is running is about to store.
 */
export function providerAdapter(options: ProviderAdapterOptions): (kind: string) => Adapter {
  const { db, onReuse } = options;
  const revokeByGrantId = async (grantId: string) => await endSession(db, grantId, 'revoked');
  return (kind) => {
    switch (kind) {
      case 'Client':
        return findOnly(async (id) => await options.clients.find(id));
      case 'Grant':
        return grantAdapter(db);
      case 'RefreshToken':
        return { ...refreshTokenAdapter(options), revokeByGrantId };
      default:
        return artifactAdapter(kind, db, {
          revokeByGrantId,
          async onReused(grantId) {
            onReuse(kind);
            await endSession(db, grantId, 'code_reuse');
          },
        });
    }
  };
}

async function endSession(db: Database, id: string, reason: 'revoked' | 'code_reuse'): Promise<void> {
  await query(
    db.pool,
    'UPDATE sessions SET ended_at = clock_timestamp(), end_reason = $2 WHERE id = $1 AND ended_at IS NULL',
    [id, reason],
  );
}

/** What an adapter of a kind does not have is never asked of it. */
const never = async () => await Promise.reject(new Error('the provider does not do this with this kind'));

function findOnly(find: (id: string) => Promise<object | undefined>): Adapter {
  return {
    find: find as Adapter['find'],
    findByUid: never,
    findByUserCode: never,
    upsert: never,
    consume: never,
    destroy: never,
    revokeByGrantId: never,
  };
}

function grantAdapter(db: Database): Adapter {
  return {
    ...findOnly(async (id) => {
      if (!uuid.safeParse(id).success) return undefined;
      const [row] = await query<{ payload: AdapterPayload }>(db.pool, {
        name: 'find_grant',
        text: findGrant,
        values: [id],
      });
      return row && { ...row.payload, jti: id };
    }),
    async upsert(id, payload, expiresIn) {
      const { jti: _, ...kept } = payload;
      const saved = await query(db.pool, saveGrant, [id, payload.accountId, payload.clientId, kept, expiresIn]);
      if (saved.length === 0) throw new errors.AccessDenied('access of the account has ended');
    },
    destroy: async (id) => await endSession(db, id, 'revoked'),
  };
}

const findGrant = `
  SELECT payload FROM sessions WHERE id = $1 AND payload IS NOT NULL AND ended_at IS NULL AND expires_at > clock_timestamp()`;

// FOR SHARE: a deletion waits and then ends this one too, or is seen by it. The time at which it ends is set once.
const saveGrant = `
  WITH account AS (SELECT id FROM users WHERE id = $2 AND deleted_at IS NULL FOR SHARE)
  INSERT INTO sessions (id, user_id, client_id, payload, created_at, expires_at)
  SELECT $1, account.id, $3, $4, stamp.at, stamp.at + make_interval(secs => $5)
  FROM account, (SELECT clock_timestamp() AS at) stamp
  ON CONFLICT (id) DO UPDATE SET payload = excluded.payload
    WHERE sessions.ended_at IS NULL AND sessions.user_id = excluded.user_id AND sessions.client_id = excluded.client_id
  RETURNING id`;

function refreshTokenAdapter({ db, refreshTokens, graceSeconds, onReuse }: ProviderAdapterOptions): Adapter {
  const hashes = (token: string) => [hashToken(token), hashToken(refreshTokens.successorOf(token))];
  return {
    ...findOnly(async (token) => {
      const [row] = await query<{ payload: AdapterPayload; consumed: number | null }>(db.pool, {
        name: 'find_refresh_token',
        text: findRefreshToken,
        values: [...hashes(token), graceSeconds],
      });
      if (row === undefined) return undefined;
      return { ...row.payload, jti: token, ...(row.consumed === null ? {} : { consumed: row.consumed }) };
    }),
    async upsert(token, payload, expiresIn) {
      const { jti: _, ...kept } = payload;
      const saved = await query(db.pool, saveRefreshToken, [hashToken(token), payload.grantId, kept, expiresIn]);
      // the token came again within the grace, but its successor was used in the meantime
      if (saved.length === 0) throw new errors.InvalidGrant('refresh token already used');
    },
    async consume(token) {
      const claimed = await query(db.pool, claimToken, [...hashes(token), graceSeconds, false]);
      if (claimed.length > 0) return;
      await query(db.pool, endReused, [hashToken(token), false]);
      onReuse('RefreshToken');
      throw new errors.InvalidGrant('refresh token already used');
    },
    async destroy(token) {
      await query(db.pool, 'DELETE FROM refresh_tokens WHERE hash = $1 AND payload IS NOT NULL', [hashToken(token)]);
    },
  };
}

// as if it were unused while it may come again for its successor ($2)
const findRefreshToken = `
  SELECT token.payload, CASE WHEN token.used_at IS NOT NULL AND NOT (
      token.used_at > clock_timestamp() - make_interval(secs => $3)
      AND NOT EXISTS (SELECT FROM refresh_tokens next WHERE next.hash = $2 AND next.used_at IS NOT NULL)
    ) THEN extract(epoch FROM token.used_at)::float8 END AS consumed
  FROM refresh_tokens token
  JOIN sessions ON sessions.id = token.session_id AND sessions.ended_at IS NULL AND sessions.expires_at > clock_timestamp()
  JOIN users ON users.id = sessions.user_id AND users.deleted_at IS NULL
  WHERE token.hash = $1 AND token.payload IS NOT NULL AND token.expires_at > clock_timestamp()`;

const saveRefreshToken = `
  INSERT INTO refresh_tokens (hash, session_id, payload, created_at, expires_at)
  SELECT $1, sessions.id, $3, stamp.at, least(stamp.at + make_interval(secs => $4), sessions.expires_at)
  FROM sessions, (SELECT clock_timestamp() AS at) stamp WHERE sessions.id = $2
  ON CONFLICT (hash) DO UPDATE SET payload = excluded.payload WHERE refresh_tokens.used_at IS NULL
  RETURNING session_id`;
