import { problem } from '@taskwire/errors';
import type { Logger } from '@taskwire/telemetry';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { Sessions, TokenIssuer } from './ports/sessions.ts';
import { hashToken, type RefreshTokens } from './refresh-tokens.ts';
import { sessionTokens, type SessionTokens } from './session-tokens.ts';

type Parts = { sessions: Sessions; refreshTokens: RefreshTokens; tokens: TokenIssuer; logger: Logger };

/**
 * Exchanges a refresh token for new tokens. A token that is presented again after the grace period, or after its successor was used, was either
 * stolen or belongs to a client that lost the response long ago. The two cases can't be distinguished, so the session ends (RFC 9700 section 4.14.2).
 */
export function refresh({ sessions, refreshTokens, tokens, logger }: Parts) {
  return async (refreshToken: string, origin: RequestOrigin): Promise<SessionTokens> => {
    const next = refreshTokens.successorOf(refreshToken);
    const grant = await sessions.rotate({ used: hashToken(refreshToken), next: hashToken(next) }, origin);
    if (grant === 'reused') logger.warn('refresh token reused; session ended');
    if (grant === 'reused' || grant === 'unknown') throw problem('invalid_refresh_token', 'Log in again.');
    return await sessionTokens(tokens, grant, next);
  };
}
