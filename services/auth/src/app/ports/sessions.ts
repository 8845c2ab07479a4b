import type { Role } from '@taskwire/contracts';
import type { AuditContext, RequestOrigin } from '../../domain/audit-context.ts';
import type { User } from './users.ts';

/** The data for the tokens of a session that was opened or continued. */
export type SessionGrant = {
  user: User;
  sessionId: string;
  /** In seconds since 1970, by the database's clock; never before the user's `tokens_valid_after`. */
  issuedAt: number;
  /** When the user last authenticated, in seconds since 1970. */
  authenticatedAt: number;
};

/** The user data in tokens. */
export type Subject = { user: User; issuedAt: number };

/**
 * Storage of sessions and the hashes of their refresh tokens. Starting, continuing or ending a session and its audit entry are committed together.
 */
export type Sessions = {
  /** Opens a session; undefined if the user's access has ended since `tokensValidAfter` was read. */
  open(session: {
    userId: string;
    tokensValidAfter: string | null;
    refreshTokenHash: Buffer;
    origin: RequestOrigin;
  }): Promise<SessionGrant | undefined>;
  /**
   * Replaces a refresh token with its only successor. Within the grace period, and while the successor is unused, the token may be presented again,
   * and yields the same successor; any other reuse ends the session (`reused`). `unknown`: the token does not exist, or it or its session has ended.
   */
  rotate(tokens: { used: Buffer; next: Buffer }, origin: RequestOrigin): Promise<SessionGrant | 'reused' | 'unknown'>;
  /**
   * Records that the session's user authenticated again, and replaces its refresh tokens with a new one, which is the only valid one from then on.
   * Undefined if the session or the user's access has ended since `tokensValidAfter` was read.
   */
  reauthenticate(session: {
    sessionId: string;
    userId: string;
    tokensValidAfter: string | null;
    refreshTokenHash: Buffer;
    origin: RequestOrigin;
  }): Promise<SessionGrant | undefined>;
  end(sessionId: string, context: AuditContext): Promise<void>;
  /** The user for whom tokens are about to be issued; undefined if the user is deleted. */
  subject(userId: string): Promise<Subject | undefined>;
  /** Returns the user's current role and whether the address is verified, or reports that access for a token with these claims has ended. */
  checkAccess(claims: {
    userId: string;
    sessionId: string | undefined;
    issuedAt: Date;
  }): Promise<{ role: Role; emailVerified: boolean } | 'revoked'>;
};

/** The content of an access token. */
export type AccessGrant = {
  subject: string;
  clientId: string;
  audience: readonly string[];
  /** Seconds since 1970. */
  issuedAt: number;
  /** When the user last authenticated, in seconds since 1970. */
  authenticatedAt: number;
  role: Role;
  emailVerified: boolean;
  sessionId: string;
};

/** Issues the access tokens of the JSON API. The provider issues its own, with the same keys and claims. */
export type TokenIssuer = {
  issue(grant: AccessGrant): Promise<{ accessToken: string; expiresIn: number }>;
};
