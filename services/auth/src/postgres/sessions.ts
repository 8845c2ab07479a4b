import { randomUUIDv7 } from 'node:crypto';
import { query, type Database, type Tx } from '@taskwire/postgres';
import { uuid, type Role } from '@taskwire/contracts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { SessionGrant, Sessions } from '../app/ports/sessions.ts';
import type { User } from '../app/ports/users.ts';
import { programOf } from '../domain/user-agent.ts';
import { appendAudit, toInet } from './audit-rows.ts';
import { claimToken, endReused, isOfPresentLogin } from './refresh-token-rows.ts';
import { secondsNow, userColumns } from './user-rows.ts';

export type SessionLifetimes = {
  /** Lifetime of a refresh token, in days. */
  refreshTokenDays: number;
  /** Maximum duration of a session, in days. */
  sessionDays: number;
  /** The period in which a used refresh token may be presented again to obtain its successor, in seconds. */
  graceSeconds: number;
};

export function createSessions(db: Database, lifetimes: SessionLifetimes): Sessions {
  return {
    async open({ userId, tokensValidAfter, refreshTokenHash, origin }) {
      const sessionId = randomUUIDv7();
      return await db.transaction(async (tx) => {
        const [row] = await query<GrantRow>(tx, {
          ...openSession,
          values: [
            ...[userId, tokensValidAfter, sessionId, refreshTokenHash, ...days(lifetimes)],
            ...[toInet(origin.ip), programOf(origin.userAgent)],
          ],
        });
        if (row === undefined) return undefined;
        await appendAudit(tx, { ...byUser(userId, origin), action: 'login', outcome: 'success' });
        return toGrant(row);
      });
    },

    async rotate(tokens, origin) {
      const grant = await db.transaction(async (tx) => {
        const rotated = await rotate(tx, tokens);
        if (rotated === undefined) return undefined;
        await appendAudit(tx, { ...byUser(rotated.user.id, origin), action: 'refresh', outcome: 'success' });
        return rotated;
      });
      if (grant !== undefined) return grant;
      return await db.transaction(async (tx) => {
        const [ended] = await query<{ user_id: string }>(tx, endReused, [tokens.used, true]);
        if (ended === undefined) return 'unknown';
        const subject = { kind: 'user' as const, id: ended.user_id };
        await appendAudit(tx, { actor: null, action: 'refresh.reuse', subject, origin, outcome: 'failure' });
        return 'reused';
      });
    },

    async reauthenticate({ sessionId, userId, tokensValidAfter, refreshTokenHash, origin }) {
      return await db.transaction(async (tx) => {
        const locked = await query(tx, lockSession, [sessionId, userId, tokensValidAfter]);
        if (locked.length === 0) return undefined;
        const values = [sessionId, refreshTokenHash, lifetimes.refreshTokenDays];
        const [row] = await query<GrantRow>(tx, renewSession, values);
        if (row === undefined) throw new Error('a locked session could not be renewed: it does not exist');
        await appendAudit(tx, { ...byUser(userId, origin), action: 'reauthenticate', outcome: 'success' });
        return toGrant(row);
      });
    },

    async end(sessionId, context) {
      await db.transaction(async (tx) => {
        const [ended] = await query<{ user_id: string }>(tx, endSession, [sessionId]);
        if (ended === undefined) return;
        await appendAudit(tx, {
          ...context,
          action: 'logout',
          subject: { kind: 'user', id: ended.user_id },
          outcome: 'success',
        });
      });
    },

    async subject(userId) {
      const [row] = await query<Omit<GrantRow, 'session_id' | 'authenticated_at'>>(db.pool, {
        ...findSubject,
        values: [userId],
      });
      if (row === undefined) return undefined;
      const { issued_at: issuedAt, ...user } = row;
      return { user, issuedAt };
    },

    async checkAccess({ userId, sessionId, issuedAt }) {
      if (!uuid.safeParse(sessionId).success) return 'revoked';
      const [access] = await query<{ role: Role; emailVerified: boolean }>(db.pool, {
        ...checkAccess,
        values: [userId, sessionId, issuedAt.getTime() / 1000],
      });
      return access ?? 'revoked';
    },
  };

  /** Returns undefined if the token is invalid or no longer valid. */
  async function rotate(tx: Tx, { used, next }: { used: Buffer; next: Buffer }): Promise<SessionGrant | undefined> {
    const [claimed] = await query<{ session_id: string }>(tx, {
      ...claimToken,
      values: [used, next, lifetimes.graceSeconds, true],
    });
    if (claimed === undefined) return undefined;
    const [row] = await query<GrantRow>(tx, {
      ...continueSession,
      values: [claimed.session_id, next, lifetimes.refreshTokenDays, used],
    });
    return row && toGrant(row);
  }
}

function byUser(id: string, origin: RequestOrigin) {
  return { actor: { kind: 'user', id }, subject: { kind: 'user', id }, origin } as const;
}

type GrantRow = User & { session_id: string; issued_at: number; authenticated_at: number };

function toGrant(row: GrantRow): SessionGrant {
  const { session_id: sessionId, issued_at: issuedAt, authenticated_at: authenticatedAt, ...user } = row;
  return { user, sessionId, issuedAt, authenticatedAt };
}

function days({ refreshTokenDays, sessionDays }: SessionLifetimes): [number, number] {
  return [refreshTokenDays, sessionDays];
}

/** SQL for the time of the log-in in seconds since 1970, as in the `auth_time` claim. */
function authenticatedAt(sessions: string): string {
  return `floor(extract(epoch FROM coalesce(${sessions}.authenticated_at, ${sessions}.created_at)))::float8 AS authenticated_at`;
}

// FOR SHARE: a concurrent demotion or deletion either waits for this log-in and then ends its session, or is visible to this statement.
export const openSession = {
  name: 'sessions.open',
  text: `
    WITH account AS (
      SELECT * FROM users
      WHERE id = $1 AND deleted_at IS NULL AND tokens_valid_after IS NOT DISTINCT FROM $2::timestamptz
      FOR SHARE
    ), opened AS (
      INSERT INTO sessions (id, user_id, created_at, expires_at, ip, user_agent)
      SELECT $3, account.id, stamp.at, stamp.at + make_interval(days => $6), $7, $8
      FROM account, (SELECT clock_timestamp() AS at) stamp
      RETURNING *
    ), token AS (
      INSERT INTO refresh_tokens (hash, session_id, created_at, expires_at)
      SELECT $4, id, created_at, least(created_at + make_interval(days => $5), expires_at) FROM opened
    )
    SELECT ${userColumns}, opened.id AS session_id, ${secondsNow} AS issued_at, ${authenticatedAt('opened')}
    FROM account AS users, opened`,
};

// Locks the session: concurrent refreshes either wait or have already finished, so their tokens are older than the new log-in.
const lockSession = `
  SELECT FROM users JOIN sessions ON sessions.user_id = users.id
  WHERE users.id = $2 AND users.deleted_at IS NULL AND users.tokens_valid_after IS NOT DISTINCT FROM $3::timestamptz
    AND sessions.id = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > clock_timestamp()
  FOR SHARE OF users FOR UPDATE OF sessions`;

// a separate statement, so that its clock is read only after the session is locked
const renewSession = `
  WITH session AS (
    UPDATE sessions SET authenticated_at = clock_timestamp() WHERE id = $1 RETURNING *
  ), token AS (
    INSERT INTO refresh_tokens (hash, session_id, created_at, expires_at)
    SELECT $2, id, authenticated_at, least(authenticated_at + make_interval(days => $3), expires_at) FROM session
  )
  SELECT ${userColumns}, session.id AS session_id, ${secondsNow} AS issued_at, ${authenticatedAt('session')}
  FROM session JOIN users ON users.id = session.user_id`;

// An existing successor (the token was presented again within the grace period) is returned again, unless it has been used in the meantime.
export const continueSession = {
  name: 'sessions.continue',
  text: `
    WITH account AS (
      SELECT users.*, sessions.id AS session_id, sessions.expires_at, ${authenticatedAt('sessions')}
      FROM sessions JOIN users ON users.id = sessions.user_id
      WHERE sessions.id = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > clock_timestamp()
        AND users.deleted_at IS NULL
        AND EXISTS (SELECT FROM refresh_tokens WHERE hash = $4 AND ${isOfPresentLogin})
      FOR SHARE OF users, sessions
    ), token AS (
      INSERT INTO refresh_tokens (hash, session_id, created_at, expires_at)
      SELECT $2, session_id, stamp.at, least(stamp.at + make_interval(days => $3), expires_at)
      FROM account, (SELECT clock_timestamp() AS at) stamp
      ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash WHERE refresh_tokens.used_at IS NULL
      RETURNING hash
    )
    SELECT ${userColumns}, users.session_id, ${secondsNow} AS issued_at, users.authenticated_at FROM account AS users, token`,
};

export const findSubject = {
  name: 'sessions.find_subject',
  text: `
    SELECT ${userColumns}, ${secondsNow} AS issued_at FROM users WHERE id = $1 AND deleted_at IS NULL`,
};

const endSession = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'logout' WHERE id = $1 AND ended_at IS NULL
  RETURNING user_id`;

export const checkAccess = {
  name: 'sessions.check_access',
  text: `
    SELECT users.role, users.email_verified AS "emailVerified" FROM users JOIN sessions ON sessions.user_id = users.id
    WHERE users.id = $1 AND users.deleted_at IS NULL
      AND (users.tokens_valid_after IS NULL OR users.tokens_valid_after <= to_timestamp($3::float8))
      AND sessions.id = $2 AND sessions.ended_at IS NULL AND sessions.expires_at > clock_timestamp()`,
};
