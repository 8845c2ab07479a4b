import type { Origin } from './audit.ts';
import { wrongCredentials, type Authenticate } from './authenticate.ts';
import type { AccessPeriod } from './access-period.ts';
import type { DeviceProofs } from './device-proofs.ts';
import type { Sessions, TokenIssuer } from './ports.ts';
import { hashToken, type RefreshTokens } from './refresh-tokens.ts';
import { sessionTokens, type SessionTokens } from './session-tokens.ts';

type Parts = { sessions: Sessions; refreshTokens: RefreshTokens; tokens: TokenIssuer };

export type StartSession = ReturnType<typeof startSession>;

/** Starts a session for a user who has just authenticated. @throws Problem if their access has been revoked since. */
export function startSession({ sessions, refreshTokens, tokens }: Parts) {
  return async ({ userId, tokensValidAfter }: AccessPeriod, origin: Origin): Promise<SessionTokens> => {
    const refreshToken = refreshTokens.create();
    const grant = await sessions.open({ userId, tokensValidAfter, refreshTokenHash: hashToken(refreshToken), origin });
    if (grant === undefined) throw wrongCredentials();
    return await sessionTokens(tokens, grant, refreshToken);
  };
}

/** A session, and the cookie that proves a log-in on this device, as the value of Set-Cookie. */
export type LogIn = { tokens: SessionTokens; deviceCookie: string };

type LogInParts = { authenticate: Authenticate; startSession: StartSession; deviceProofs: DeviceProofs };

/** Logs a user in. */
export function logIn({ authenticate, startSession, deviceProofs }: LogInParts) {
  return async (credentials: { email: string; password: string }, origin: Origin): Promise<LogIn> => {
    const authentication = await authenticate(credentials, origin);
    const tokens = await startSession(authentication, origin);
    return { tokens, deviceCookie: deviceProofs.cookieFor(authentication, credentials.email) };
  };
}
