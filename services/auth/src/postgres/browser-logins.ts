import { query, type Queryable, type Tx } from '@taskwire/postgres';
import type { RequestOrigin } from '../domain/audit-context.ts';
import { programOf } from '../domain/user-agent.ts';
import { toInet } from './audit-rows.ts';

/** A browser log-in at the OpenID provider, identified by the provider's secondary id for it. */
type SavedLogin = {
  uid: string;
  userId: string;
  /** When the user logged in, in seconds since 1970. */
  loggedInAt: number;
  expiresInSeconds: number;
  origin: RequestOrigin;
};

/** Records that a browser log-in began or continues. The recorded origin is always the one from which the log-in began. */
export async function saveBrowserLogin(db: Queryable, login: SavedLogin): Promise<void> {
  const { ip, userAgent } = login.origin;
  await query(db, {
    ...saveLogin,
    values: [login.uid, login.userId, login.loggedInAt, login.expiresInSeconds, toInet(ip), programOf(userAgent)],
  });
}

export const saveLogin = {
  name: 'browser_logins.save',
  text: `
    INSERT INTO browser_logins (uid, user_id, created_at, expires_at, ip, user_agent)
    VALUES ($1, $2, to_timestamp($3::float8), clock_timestamp() + make_interval(secs => $4), $5, $6)
    ON CONFLICT (uid) DO UPDATE SET
      user_id = excluded.user_id, created_at = excluded.created_at, last_used_at = clock_timestamp(),
      expires_at = excluded.expires_at,
      ip = CASE WHEN (browser_logins.user_id, browser_logins.created_at) = (excluded.user_id, excluded.created_at)
        THEN browser_logins.ip ELSE excluded.ip END,
      user_agent = CASE WHEN (browser_logins.user_id, browser_logins.created_at) = (excluded.user_id, excluded.created_at)
        THEN browser_logins.user_agent ELSE excluded.user_agent END`,
};

/** Records that a user logged out in the browser itself. The provider has already ended everything that belongs to the log-in. */
export async function recordBrowserLogout(tx: Tx, uid: string): Promise<void> {
  await query(tx, 'UPDATE browser_logins SET ended_at = clock_timestamp() WHERE uid = $1 AND ended_at IS NULL', [uid]);
}

/**
 * Ends a browser log-in from another device, and everything that clients obtained through it without `offline_access`, as a log-out in that browser
 * does. Returns what else ended, or undefined if the user has no such log-in.
 */
export async function endBrowserLogin(
  tx: Tx,
  { id, userId }: { id: string; userId: string },
): Promise<{ client_id: string }[] | undefined> {
  const [login] = await query<{ uid: string }>(tx, endLogin, [id, userId]);
  return login && (await query<{ client_id: string }>(tx, endGrants, [userId, login.uid]));
}

const endLogin = `
  UPDATE browser_logins SET ended_at = clock_timestamp()
  WHERE id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > clock_timestamp()
  RETURNING uid`;

const endGrants = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'revoked'
  WHERE user_id = $1 AND payload IS NOT NULL AND ended_at IS NULL AND id IN (
    SELECT (client.value->>'grantId')::uuid
    FROM oidc_artifacts, json_each(oidc_artifacts.payload->'authorizations') AS client
    WHERE kind = 'Session' AND uid = $2 AND oidc_artifacts.user_id = $1
      AND (client.value->>'persistsLogout') IS DISTINCT FROM 'true'
  )
  RETURNING client_id`;
