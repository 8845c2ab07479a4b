import { wrongCredentials, type Authenticate } from './authenticate.ts';
import type { Sessions, TokenIssuer } from './ports.ts';
import { hashToken, type RefreshTokens } from './refresh-tokens.ts';
import { sessionTokens, type SessionTokens } from './session-tokens.ts';

type Parts = { authenticate: Authenticate; sessions: Sessions; refreshTokens: RefreshTokens; tokens: TokenIssuer };

/** Starts a session. */
export function logIn({ authenticate, sessions, refreshTokens, tokens }: Parts) {
  return async (credentials: { email: string; password: string }, ip: string): Promise<SessionTokens> => {
    const { userId, tokensValidAfter } = await authenticate(credentials, ip);
    const refreshToken = refreshTokens.create();
    const grant = await sessions.open({ userId, tokensValidAfter, refreshTokenHash: hashToken(refreshToken) });
    if (grant === undefined) throw wrongCredentials();
    return await sessionTokens(tokens, grant, refreshToken);
  };
}
