import { problem } from '@taskwire/errors';
import type { Logger } from '@taskwire/telemetry';
import type { Sessions, TokenIssuer } from './ports.ts';
import { hashRefreshToken, newRefreshToken, sessionTokens, type SessionTokens } from './session-tokens.ts';

/**
 * Exchanges a refresh token for new tokens. A token that comes a second time was stolen, or its answer was lost: which of the two
 * cannot be told, so the session ends (RFC 9700 section 4.14.2).
 */
export function refresh({ sessions, tokens, logger }: { sessions: Sessions; tokens: TokenIssuer; logger: Logger }) {
  return async (refreshToken: string): Promise<SessionTokens> => {
    const next = newRefreshToken();
    const grant = await sessions.rotate({ used: hashRefreshToken(refreshToken), next: next.hash });
    if (grant === 'reused') logger.warn('a refresh token came a second time; its session ended');
    if (grant === 'reused' || grant === 'unknown') throw problem('invalid_refresh_token', 'Log in again.');
    return await sessionTokens(tokens, grant, next.token);
  };
}
