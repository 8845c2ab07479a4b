import { query, type Database } from '@taskwire/postgres';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { NewAuditEntry } from '../app/ports/audit.ts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import { hashToken } from '../app/refresh-tokens.ts';
import { appendAudit } from './audit-rows.ts';
import { recordBrowserLogout, saveBrowserLogin } from './browser-logins.ts';

/** Facts about the request being handled that the provider doesn't pass to the adapter. */
export type RequestInProgress = {
  origin(): RequestOrigin;
  /**
   * Why this request revokes a grant: the user logged out of this browser, the provider detected reuse of a single-use credential, or another reason.
   */
  ending(): 'log_out' | 'code_reuse' | 'refresh_token_reuse' | 'other';
};

/** Called by an adapter when a grant must be revoked. */
export type Revocation = {
  revokeByGrantId(grantId: string): Promise<void>;
  /** A single-use credential was reused: everything issued from its grant must be revoked (RFC 6749 section 4.1.2). */
  onReused(grantId: string): Promise<void>;
};

type Row = { payload: AdapterPayload; consumed: number | null };

/** Authorization codes, opaque tokens, browser log-ins, interactions and used jti, stored as rows of `oidc_artifacts` by kind and hash. */
export function artifactAdapter(
  kind: string,
  db: Database,
  request: RequestInProgress,
  revocation: Revocation,
): Adapter {
  const save = kind === 'ReplayDetection' ? insertArtifact : saveArtifact;
  return {
    async find(id) {
      // the INSERT detects whether a jti was used
      if (kind === 'ReplayDetection') return undefined;
      const [row] = await query<Row>(db.pool, { ...findArtifact, values: [kind, hashToken(id)] });
      return row && withId(toPayload(row), id);
    },
    async findByUid(uid) {
      const [row] = await query<Row>(db.pool, { ...findArtifactByUid, values: [kind, uid] });
      return row && toPayload(row);
    },
    findByUserCode: async () => await Promise.reject(new Error('there is no device flow')),
    async upsert(id, payload, expiresIn) {
      if (kind === 'Session') await recordLogin(db, payload, expiresIn, request.origin());
      const saved = await query(db.pool, {
        ...save,
        values: [
          kind,
          hashToken(id),
          withoutId(payload, id),
          payload.grantId,
          payload.accountId,
          payload.loginTs ?? payload.authTime,
          payload.uid,
          expiresIn,
        ],
      });
      if (saved.length === 0) throw taken(kind);
    },
    async consume(id) {
      const isFirst = await db.transaction(async (tx) => {
        const [consumed] = await query<Consumed>(tx, { ...consumeArtifact, values: [kind, hashToken(id)] });
        if (consumed === undefined) return false;
        if (kind === 'AuthorizationCode') {
          await query(tx, { ...useGrant, values: [consumed.session_id] });
          await appendAudit(tx, exchanged(consumed, request.origin()));
        }
        return true;
      });
      if (isFirst) return;
      const [row] = await query<{ session_id: string | null }>(
        db.pool,
        'SELECT session_id FROM oidc_artifacts WHERE kind = $1 AND hash = $2 AND consumed_at IS NOT NULL',
        [kind, hashToken(id)],
      );
      if (typeof row?.session_id === 'string') await revocation.onReused(row.session_id);
      throw new errors.InvalidGrant('it was used already');
    },
    async destroy(id) {
      await db.transaction(async (tx) => {
        const [removed] = await query<Removed>(tx, deleteArtifact, [kind, hashToken(id)]);
        if (kind !== 'Session' || typeof removed?.user_id !== 'string' || request.ending() !== 'log_out') return;
        await recordBrowserLogout(tx, removed.uid);
        const user = { kind: 'user', id: removed.user_id } as const;
        await appendAudit(tx, {
          actor: user,
          action: 'logout',
          subject: user,
          origin: request.origin(),
          outcome: 'success',
        });
      });
    },
    revokeByGrantId: revocation.revokeByGrantId,
  };
}

type Consumed = { user_id: string; client_id: string; session_id: string };
type Removed = { user_id: string | null; uid: string };

/** Saves the details of a browser log-in that are shown to its user. */
async function recordLogin(
  db: Database,
  { uid, accountId: userId, loginTs: loggedInAt }: AdapterPayload,
  expiresInSeconds: number | undefined,
  origin: RequestOrigin,
): Promise<void> {
  if (uid === undefined || userId === undefined || loggedInAt === undefined || expiresInSeconds === undefined) return;
  await saveBrowserLogin(db.pool, { uid, userId, loggedInAt, expiresInSeconds, origin });
}

function exchanged({ user_id: id, client_id: client }: Consumed, origin: RequestOrigin): NewAuditEntry {
  const actor = { kind: 'client', id: client } as const;
  return { actor, action: 'code.exchange', subject: { kind: 'user', id }, origin, outcome: 'success' };
}

function taken(kind: string): Error {
  return kind === 'ReplayDetection'
    ? new errors.InvalidClientAuth('client assertion tokens must only be used once')
    : new errors.InvalidGrant('it was used already');
}

function toPayload({ payload, consumed }: Row): AdapterPayload {
  return consumed === null ? payload : { ...payload, consumed };
}

/** The id is the credential (a cookie, a code, a token), so no row contains it: neither as jti nor in the return URL. */
function withoutId({ jti: _, ...payload }: AdapterPayload, id: string): AdapterPayload {
  const { returnTo, session } = payload;
  return {
    ...payload,
    ...(returnTo === undefined ? {} : { returnTo: returnTo.replace(id, '') }),
    // removes the cookie of the browser log-in, which is never read back
    ...(session === undefined ? {} : { session: { ...session, cookie: '' } }),
  };
}

function withId(payload: AdapterPayload, id: string): AdapterPayload {
  return {
    ...payload,
    jti: id,
    ...(payload.returnTo === undefined ? {} : { returnTo: `${payload.returnTo}${id}` }),
  };
}

// excludes artifacts of an ended grant, of a deleted user, of a log-in from before access ended, and of an ended browser log-in
const findArtifactWhere = (condition: string) => `
  SELECT payload, extract(epoch FROM consumed_at)::float8 AS consumed FROM oidc_artifacts
  WHERE kind = $1 AND ${condition} AND expires_at > clock_timestamp()
    AND (session_id IS NULL OR EXISTS (
      SELECT FROM sessions WHERE sessions.id = session_id AND ended_at IS NULL AND sessions.expires_at > clock_timestamp()
    ))
    AND (oidc_artifacts.user_id IS NULL OR EXISTS (
      SELECT FROM users WHERE users.id = oidc_artifacts.user_id AND deleted_at IS NULL
        AND (tokens_valid_after IS NULL OR authenticated_at IS NULL OR tokens_valid_after <= authenticated_at)
    ))
    AND NOT EXISTS (SELECT FROM browser_logins WHERE browser_logins.uid = oidc_artifacts.uid AND ended_at IS NOT NULL)`;

export const findArtifact = {
  name: 'oidc_artifacts.find',
  text: findArtifactWhere('oidc_artifacts.hash = $2'),
};
export const findArtifactByUid = {
  name: 'oidc_artifacts.find_by_uid',
  text: `${findArtifactWhere('oidc_artifacts.uid = $2')} ORDER BY created_at DESC LIMIT 1`,
};

export const insertArtifact = {
  name: 'oidc_artifacts.insert',
  text: `
    INSERT INTO oidc_artifacts (kind, hash, payload, session_id, user_id, authenticated_at, uid, expires_at)
    VALUES ($1, $2, $3, $4, $5, to_timestamp($6::float8), $7, clock_timestamp() + make_interval(secs => $8))
    ON CONFLICT (kind, hash) DO NOTHING
    RETURNING kind`,
};

// a consumed artifact stays consumed
export const saveArtifact = {
  name: 'oidc_artifacts.save',
  text: `
    INSERT INTO oidc_artifacts (kind, hash, payload, session_id, user_id, authenticated_at, uid, expires_at)
    VALUES ($1, $2, $3, $4, $5, to_timestamp($6::float8), $7, clock_timestamp() + make_interval(secs => $8))
    ON CONFLICT (kind, hash) DO UPDATE SET
      payload = excluded.payload, session_id = excluded.session_id, user_id = excluded.user_id,
      authenticated_at = excluded.authenticated_at, uid = excluded.uid, expires_at = excluded.expires_at
      WHERE oidc_artifacts.consumed_at IS NULL
    RETURNING kind`,
};

const deleteArtifact = 'DELETE FROM oidc_artifacts WHERE kind = $1 AND hash = $2 RETURNING user_id, uid';

// the expiry is left unchanged
export const consumeArtifact = {
  name: 'oidc_artifacts.consume',
  text: `
    UPDATE oidc_artifacts SET consumed_at = clock_timestamp()
    WHERE kind = $1 AND hash = $2 AND consumed_at IS NULL AND expires_at > clock_timestamp()
    RETURNING user_id, payload->>'clientId' AS client_id, session_id`,
};

export const useGrant = {
  name: 'sessions.use_grant',
  text: `UPDATE sessions SET last_used_at = clock_timestamp() WHERE id = $1 AND ended_at IS NULL`,
};
