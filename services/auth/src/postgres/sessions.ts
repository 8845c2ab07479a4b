import { randomUUIDv7 } from 'node:crypto';
import { query, type Database, type Tx } from '@taskwire/postgres';
import { uuid, type Role } from '@taskwire/contracts';
import type { SessionGrant, Sessions, User } from '../app/ports.ts';
import { userColumns } from './user-rows.ts';

/** How long a refresh token can be used, and how long a session can go on at most, in days. */
export type SessionLifetimes = { refreshTokenDays: number; sessionDays: number };

export function createSessions(db: Database, lifetimes: SessionLifetimes): Sessions {
  return {
    async open({ userId, tokensValidAfter, refreshTokenHash }) {
      const sessionId = randomUUIDv7();
      const [row] = await query<GrantRow>(db.pool, {
        name: 'open_session',
        text: openSession,
        values: [userId, tokensValidAfter, sessionId, refreshTokenHash, ...days(lifetimes)],
      });
      return row && toGrant(row);
    },

    async rotate(tokens) {
      const grant = await db.transaction(async (tx) => await rotate(tx, tokens));
      if (grant !== undefined) return grant;
      const ended = await query(db.pool, endReused, [tokens.used]);
      return ended.length > 0 ? 'reused' : 'unknown';
    },

    async end(sessionId) {
      await query(db.pool, endSession, [sessionId]);
    },

    async checkAccess({ userId, sessionId, issuedAt }) {
      if (!uuid.safeParse(sessionId).success) return 'revoked';
      const [access] = await query<{ role: Role }>(db.pool, {
        name: 'check_access',
        text: checkAccess,
        values: [userId, sessionId, issuedAt.getTime() / 1000],
      });
      return access ?? 'revoked';
    },
  };

  /** Undefined when the token cannot be used (any more). */
  async function rotate(tx: Tx, { used, next }: { used: Buffer; next: Buffer }): Promise<SessionGrant | undefined> {
    const [claimed] = await query<{ session_id: string }>(tx, {
      name: 'claim_token',
      text: claimToken,
      values: [used],
    });
    if (claimed === undefined) return undefined;
    const [row] = await query<GrantRow>(tx, {
      name: 'continue_session',
      text: continueSession,
      values: [claimed.session_id, next, lifetimes.refreshTokenDays],
    });
    return row && toGrant(row);
  }
}

type GrantRow = User & { session_id: string; issued_at: number };

function toGrant({ session_id: sessionId, issued_at: issuedAt, ...user }: GrantRow): SessionGrant {
  return { user, sessionId, issuedAt };
}

function days({ refreshTokenDays, sessionDays }: SessionLifetimes): [number, number] {
  return [refreshTokenDays, sessionDays];
}

// A JWT counts in whole seconds. Rounded down, a token that is made right after tokens_valid_after would look older than it; so
// iat is never before it. (Up to a second in the future then; verifiers allow for clocks that differ.)
const issuedAt = `
  greatest(
    floor(extract(epoch FROM clock_timestamp())),
    ceil(extract(epoch FROM users.tokens_valid_after))
  )::float8 AS issued_at`;

// FOR SHARE: a demotion or deletion either waits for this log-in and then ends its session, or is seen by it.
const openSession = `
  WITH account AS (
    SELECT * FROM users
    WHERE id = $1 AND deleted_at IS NULL AND tokens_valid_after IS NOT DISTINCT FROM $2::timestamptz
    FOR SHARE
  ), opened AS (
    INSERT INTO sessions (id, user_id, created_at, expires_at)
    SELECT $3, account.id, stamp.at, stamp.at + make_interval(days => $6)
    FROM account, (SELECT clock_timestamp() AS at) stamp
    RETURNING *
  ), token AS (
    INSERT INTO refresh_tokens (hash, session_id, created_at, expires_at)
    SELECT $4, id, created_at, least(created_at + make_interval(days => $5), expires_at) FROM opened
  )
  SELECT ${userColumns}, opened.id AS session_id, ${issuedAt} FROM account AS users, opened`;

// of uses at the same time, the row lock lets one through; the others then find it used
const claimToken = `
  UPDATE refresh_tokens SET used_at = clock_timestamp()
  WHERE hash = $1 AND used_at IS NULL AND expires_at > clock_timestamp()
  RETURNING session_id`;

const continueSession = `
  WITH account AS (
    SELECT users.*, sessions.id AS session_id, sessions.expires_at
    FROM sessions JOIN users ON users.id = sessions.user_id
    WHERE sessions.id = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > clock_timestamp()
      AND users.deleted_at IS NULL
    FOR SHARE OF users, sessions
  ), token AS (
    INSERT INTO refresh_tokens (hash, session_id, created_at, expires_at)
    SELECT $2, session_id, stamp.at, least(stamp.at + make_interval(days => $3), expires_at)
    FROM account, (SELECT clock_timestamp() AS at) stamp
  )
  SELECT ${userColumns}, users.session_id, ${issuedAt} FROM account AS users`;

const endReused = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'refresh_token_reuse'
  FROM refresh_tokens
  WHERE refresh_tokens.hash = $1 AND refresh_tokens.used_at IS NOT NULL
    AND sessions.id = refresh_tokens.session_id AND sessions.ended_at IS NULL
  RETURNING sessions.id`;

const endSession = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'logout' WHERE id = $1 AND ended_at IS NULL`;

const checkAccess = `
  SELECT users.role FROM users JOIN sessions ON sessions.user_id = users.id
  WHERE users.id = $1 AND users.deleted_at IS NULL
    AND (users.tokens_valid_after IS NULL OR users.tokens_valid_after <= to_timestamp($3::float8))
    AND sessions.id = $2 AND sessions.ended_at IS NULL AND sessions.expires_at > clock_timestamp()`;
