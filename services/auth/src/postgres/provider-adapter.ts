import { uuid } from '@taskwire/contracts';
import { query, type Database, type Tx } from '@taskwire/postgres';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { ClientDirectory } from '../app/ports/clients.ts';
import { hashToken, type RefreshTokens } from '../app/refresh-tokens.ts';
import { artifactAdapter, type RequestInProgress } from './artifact-rows.ts';
import { appendAudit } from './audit-rows.ts';
import { allowedScopesText, type StoredGrant } from './grant-scopes.ts';
import { claimToken, endReused } from './refresh-token-rows.ts';

export type ProviderAdapterOptions = {
  db: Database;
  refreshTokens: RefreshTokens;
  /** The period in which a used refresh token may be presented again to obtain its successor, in seconds. */
  graceSeconds: number;
  clients: ClientDirectory;
  /** Called when a single-use credential was reused and its grant was revoked. */
  onReuse: (what: string) => void;
  request: RequestInProgress;
};

/**
 * The provider's storage, which also writes audit entries for the events that concern users and clients. Every conditional write is one statement,
 * whose row lock lets exactly one of any number of replicas succeed; the others get the protocol's error. A grant is a row of `sessions`, and
 * everything issued under it is found only while that row has not ended. Therefore one UPDATE revokes everything at once, including artifacts that a
 * request in progress is about to store.
 */
export function providerAdapter(options: ProviderAdapterOptions): (kind: string) => Adapter {
  const { db, onReuse, request } = options;
  const revokeByGrantId = async (grantId: string) => await endGrant(options, grantId);
  return (kind) => {
    switch (kind) {
      case 'Client':
        return findOnly(async (id) => await options.clients.find(id));
      case 'Grant':
        return grantAdapter(options);
      case 'RefreshToken':
        return { ...refreshTokenAdapter(options), revokeByGrantId };
      default:
        return artifactAdapter(kind, db, request, {
          revokeByGrantId,
          async onReused(grantId) {
            await endGrant(options, grantId, 'code_reuse');
            // only now do the log lines of this request name the user of the grant
            onReuse(kind);
          },
        });
    }
  };
}

const endSession = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = $2 WHERE id = $1 AND ended_at IS NULL
  RETURNING user_id, client_id`;

type Ended = { user_id: string; client_id: string };

/** Ends a grant: a client requested it, a user logged out, or the provider detected reuse. The provider calls this several times. */
async function endGrant(
  { db, request }: ProviderAdapterOptions,
  grantId: string,
  ending = request.ending(),
): Promise<void> {
  const isReuse = ending === 'code_reuse' || ending === 'refresh_token_reuse';
  await db.transaction(async (tx) => {
    const [ended] = await query<Ended>(tx, endSession, [grantId, isReuse ? ending : 'revoked']);
    if (ended === undefined) return;
    const origin = request.origin();
    if (isReuse) return await appendReuse(tx, ending === 'code_reuse' ? 'code.reuse' : 'refresh.reuse', ended, origin);
    const [user, client] = [byUser(ended.user_id), byClient(ended.client_id)];
    const [actor, subject] = ending === 'log_out' ? [user, client] : [client, user];
    await appendAudit(tx, { actor, action: 'consent.revoke', subject, origin, outcome: 'success' });
  });
}

/** No actor is recorded, because anyone with the code or token could have sent it. */
async function appendReuse(tx: Tx, action: 'code.reuse' | 'refresh.reuse', ended: Ended, origin: RequestOrigin) {
  const { user_id: id, client_id: reason } = ended;
  await appendAudit(tx, { actor: null, action, subject: byUser(id), origin, outcome: 'failure', reason });
}

const byUser = (id: string) => ({ kind: 'user', id }) as const;
const byClient = (id: string) => ({ kind: 'client', id }) as const;

/** Stands in for methods that the provider never calls on an adapter of this kind. */
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

function grantAdapter(options: ProviderAdapterOptions): Adapter {
  const { db, request } = options;
  return {
    ...findOnly(async (id) => {
      if (!uuid.safeParse(id).success) return undefined;
      const [row] = await query<{ payload: AdapterPayload }>(db.pool, { ...findGrant, values: [id] });
      return row && { ...row.payload, jti: id };
    }),
    async upsert(id, payload, expiresIn) {
      const { jti: _, ...kept } = payload;
      const { accountId, clientId } = payload;
      await db.transaction(async (tx) => {
        const saved = await query(tx, { ...saveGrant, values: [id, accountId, clientId, kept, expiresIn] });
        if (saved.length === 0) throw new errors.AccessDenied('access of the account has ended');
        await appendAudit(tx, {
          actor: byUser(String(accountId)),
          action: 'consent',
          subject: byClient(String(clientId)),
          origin: request.origin(),
          outcome: 'success',
          reason: allowedScopesText(kept as StoredGrant),
        });
      });
    },
    destroy: async (id) => await endGrant(options, id),
  };
}

export const findGrant = {
  name: 'sessions.find_grant',
  text: `
    SELECT payload FROM sessions WHERE id = $1 AND payload IS NOT NULL AND ended_at IS NULL AND expires_at > clock_timestamp()`,
};

// FOR SHARE: a concurrent deletion of the user either waits and then ends this grant too, or is visible to this statement. The time at which a grant
// ends is set only once.
export const saveGrant = {
  name: 'sessions.save_grant',
  text: `
    WITH account AS (SELECT id FROM users WHERE id = $2 AND deleted_at IS NULL FOR SHARE)
    INSERT INTO sessions (id, user_id, client_id, payload, created_at, expires_at)
    SELECT $1, account.id, $3, $4, stamp.at, stamp.at + make_interval(secs => $5)
    FROM account, (SELECT clock_timestamp() AS at) stamp
    ON CONFLICT (id) DO UPDATE SET payload = excluded.payload
      WHERE sessions.ended_at IS NULL AND sessions.user_id = excluded.user_id AND sessions.client_id = excluded.client_id
    RETURNING id`,
};

function refreshTokenAdapter({ db, refreshTokens, graceSeconds, onReuse, request }: ProviderAdapterOptions): Adapter {
  const hashes = (token: string) => [hashToken(token), hashToken(refreshTokens.successorOf(token))];
  return {
    ...findOnly(async (token) => {
      const [row] = await query<{ payload: AdapterPayload; consumed: number | null }>(db.pool, {
        ...findRefreshToken,
        values: [...hashes(token), graceSeconds],
      });
      if (row === undefined) return undefined;
      return { ...row.payload, jti: token, ...(row.consumed === null ? {} : { consumed: row.consumed }) };
    }),
    async upsert(token, payload, expiresIn) {
      const { jti: _, ...kept } = payload;
      const values = [hashToken(token), payload.grantId, kept, expiresIn];
      const saved = await query(db.pool, { ...saveRefreshToken, values });
      // the token was presented again within the grace period, but its successor has been used in the meantime
      if (saved.length === 0) throw new errors.InvalidGrant('refresh token already used');
    },
    async consume(token) {
      const isFirst = await db.transaction(async (tx) => {
        const origin = request.origin();
        const values = [...hashes(token), graceSeconds, false];
        const [claimed] = await query<{ session_id: string } & Ended>(tx, { ...claimToken, values });
        if (claimed !== undefined) {
          const subject = byUser(claimed.user_id);
          const actor = byClient(claimed.client_id);
          await appendAudit(tx, { actor, action: 'refresh', subject, origin, outcome: 'success' });
          return true;
        }
        const [ended] = await query<Ended>(tx, endReused, [hashToken(token), false]);
        if (ended !== undefined) await appendReuse(tx, 'refresh.reuse', ended, origin);
        return false;
      });
      if (isFirst) return;
      onReuse('RefreshToken');
      throw new errors.InvalidGrant('refresh token already used');
    },
    async destroy(token) {
      await query(db.pool, 'DELETE FROM refresh_tokens WHERE hash = $1 AND payload IS NOT NULL', [hashToken(token)]);
    },
  };
}

// treats the token as unused while it may be presented again to obtain its successor ($2)
export const findRefreshToken = {
  name: 'refresh_tokens.find',
  text: `
    SELECT token.payload, CASE WHEN token.used_at IS NOT NULL AND NOT (
        token.used_at > clock_timestamp() - make_interval(secs => $3)
        AND NOT EXISTS (SELECT FROM refresh_tokens next WHERE next.hash = $2 AND next.used_at IS NOT NULL)
      ) THEN extract(epoch FROM token.used_at)::float8 END AS consumed
    FROM refresh_tokens token
    JOIN sessions ON sessions.id = token.session_id AND sessions.ended_at IS NULL AND sessions.expires_at > clock_timestamp()
    JOIN users ON users.id = sessions.user_id AND users.deleted_at IS NULL
    WHERE token.hash = $1 AND token.payload IS NOT NULL AND token.expires_at > clock_timestamp()`,
};

export const saveRefreshToken = {
  name: 'refresh_tokens.save',
  text: `
    INSERT INTO refresh_tokens (hash, session_id, payload, created_at, expires_at)
    SELECT $1, sessions.id, $3, stamp.at, least(stamp.at + make_interval(secs => $4), sessions.expires_at)
    FROM sessions, (SELECT clock_timestamp() AS at) stamp WHERE sessions.id = $2
    ON CONFLICT (hash) DO UPDATE SET payload = excluded.payload WHERE refresh_tokens.used_at IS NULL
    RETURNING session_id`,
};
