import { createHash, randomBytes } from 'node:crypto';
import type { SessionGrant, TokenIssuer, User } from './ports.ts';

/** What a log-in or a refresh is answered with. */
export type SessionTokens = {
  access_token: string;
  token_type: 'Bearer';
  expires_in: number;
  refresh_token: string;
  user: User;
};

/** Every service: front ends call all of them with one token. */
const userAudiences = ['urn:taskwire:auth', 'urn:taskwire:tasks', 'urn:taskwire:notifications'];

/** The client of tokens that the JSON API gives. */
const firstParty = 'first-party';

/** A new opaque refresh token with the hash that is stored of it. The prefix lets scanners for leaked secrets know it. */
export function newRefreshToken(): { token: string; hash: Buffer } {
  const token = `twr_${randomBytes(32).toString('base64url')}`;
  return { token, hash: hashRefreshToken(token) };
}

/** A plain hash is enough for what has 256 random bits: it can be neither guessed nor looked up in a table. */
export function hashRefreshToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export async function sessionTokens(
  tokens: TokenIssuer,
  { user, sessionId, issuedAt }: SessionGrant,
  refreshToken: string,
): Promise<SessionTokens> {
  const { accessToken, expiresIn } = await tokens.issue({
    subject: user.id,
    clientId: firstParty,
    audience: userAudiences,
    scope: '',
    issuedAt,
    session: { role: user.role, sessionId },
  });
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: expiresIn,
    refresh_token: refreshToken,
    user,
  };
}
