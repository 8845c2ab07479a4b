import type { Origin } from './audit.ts';
import { wrongCredentials, type Authenticate } from './authenticate.ts';
import type { Authentication, Sessions, TokenIssuer } from './ports.ts';
import { hashToken, type RefreshTokens } from './refresh-tokens.ts';
import { sessionTokens, type SessionTokens } from './session-tokens.ts';

type Parts = { sessions: Sessions; refreshTokens: RefreshTokens; tokens: TokenIssuer };

export type StartSession = ReturnType<typeof startSession>;

/** Starts a session of somebody who has just proven who they are. @throws Problem when their access has ended since. */
export function startSession({ sessions, refreshTokens, tokens }: Parts) {
  return async (
    { userId, tokensValidAfter }: Pick<Authentication, 'userId' | 'tokensValidAfter'>,
    origin: Origin,
  ): Promise<SessionTokens> => {
    const refreshToken = refreshTokens.create();
    const grant = await sessions.open({ userId, tokensValidAfter, refreshTokenHash: hashToken(refreshToken), origin });
    if (grant === undefined) throw wrongCredentials();
    return await sessionTokens(tokens, grant, refreshToken);
  };
}

/** Logs somebody in. */
export function logIn({ authenticate, startSession }: { authenticate: Authenticate; startSession: StartSession }) {
  return async (credentials: { email: string; password: string }, origin: Origin): Promise<SessionTokens> =>
    await startSession(await authenticate(credentials, origin), origin);
}
