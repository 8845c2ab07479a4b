import type { RequestOrigin } from '../domain/audit-context.ts';
import type { AccessPeriod } from '../domain/access-period.ts';
import { wrongCredentials, type Authenticate } from './authenticate.ts';
import type { DeviceCookies } from './device-cookies.ts';
import type { Sessions, TokenIssuer } from './ports/sessions.ts';
import { hashToken, type RefreshTokens } from './refresh-tokens.ts';
import { sessionTokens, type SessionTokens } from './session-tokens.ts';

type Parts = { sessions: Sessions; refreshTokens: RefreshTokens; tokens: TokenIssuer };

export type StartSession = ReturnType<typeof startSession>;

/** Starts a session for a user who has just authenticated. @throws Problem if the user's access has been revoked in the meantime. */
export function startSession({ sessions, refreshTokens, tokens }: Parts) {
  return async ({ userId, tokensValidAfter }: AccessPeriod, origin: RequestOrigin): Promise<SessionTokens> => {
    const refreshToken = refreshTokens.create();
    const grant = await sessions.open({ userId, tokensValidAfter, refreshTokenHash: hashToken(refreshToken), origin });
    if (grant === undefined) throw wrongCredentials();
    return await sessionTokens(tokens, grant, refreshToken);
  };
}

/** A session, and the cookie that proves a log-in on this device, as the value of Set-Cookie. */
export type LogIn = { tokens: SessionTokens; deviceCookie: string };

type LogInParts = { authenticate: Authenticate; startSession: StartSession; deviceCookies: DeviceCookies };

/** Logs a user in. */
export function logIn({ authenticate, startSession, deviceCookies }: LogInParts) {
  return async (credentials: { email: string; password: string }, origin: RequestOrigin): Promise<LogIn> => {
    const authentication = await authenticate(credentials, origin);
    const tokens = await startSession(authentication, origin);
    return { tokens, deviceCookie: deviceCookies.cookieFor(authentication, credentials.email) };
  };
}
