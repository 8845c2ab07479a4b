import { audiencesOf, everyService, firstPartyClient } from '@taskwire/contracts';
import type { SessionGrant, TokenIssuer } from './ports/sessions.ts';
import type { User } from './ports/users.ts';

/** The response to a log-in or a refresh. */
export type SessionTokens = {
  access_token: string;
  token_type: 'Bearer';
  expires_in: number;
  refresh_token: string;
  user: User;
};

/** Every service: front ends call all of them with one token. */
const userAudiences = [...audiencesOf(everyService)];

export async function sessionTokens(
  tokens: TokenIssuer,
  { user, sessionId, issuedAt, authenticatedAt }: SessionGrant,
  refreshToken: string,
): Promise<SessionTokens> {
  const { accessToken, expiresIn } = await tokens.issue({
    subject: user.id,
    clientId: firstPartyClient,
    audience: userAudiences,
    issuedAt,
    authenticatedAt,
    role: user.role,
    emailVerified: user.email_verified,
    sessionId,
  });
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: expiresIn,
    refresh_token: refreshToken,
    user,
  };
}
