import { problem } from '@taskwire/errors';
import type { Audit } from './ports/audit.ts';
import { withAuditedRefusals } from './audited-refusals.ts';
import type { CheckPassword } from './authenticate.ts';
import { requireCurrentPassword } from './current-password.ts';
import type { Sessions, TokenIssuer } from './ports/sessions.ts';
import type { Users } from './ports/users.ts';
import { contextOf, requireUser, type Caller } from './read-user.ts';
import { hashToken, type RefreshTokens } from './refresh-tokens.ts';
import { sessionTokens, type SessionTokens } from './session-tokens.ts';

type Parts = {
  users: Users;
  checkPassword: CheckPassword;
  sessions: Sessions;
  refreshTokens: RefreshTokens;
  tokens: TokenIssuer;
  audit: Audit;
};

/**
 * Continues the caller's session with tokens that count as a new log-in. Earlier refresh tokens of the session become invalid: a thief who stole one
 * must not obtain a fresh log-in with it.
 * @throws Problem `wrong_password`, which counts as a failed log-in; `rate_limited`; `access_revoked` if access has ended in the meantime.
 */
export function reauthenticate({ users, checkPassword, sessions, refreshTokens, tokens, audit }: Parts) {
  const requirePassword = requireCurrentPassword(checkPassword);

  async function prove(caller: Caller, password: string): Promise<SessionTokens> {
    const account = await requirePassword(requireUser(await users.find(caller.id)), password, caller.origin);
    if (caller.sessionId === undefined) throw accessRevoked();
    const refreshToken = refreshTokens.create();
    const grant = await sessions.reauthenticate({
      sessionId: caller.sessionId,
      userId: caller.id,
      tokensValidAfter: account.tokensValidAfter,
      refreshTokenHash: hashToken(refreshToken),
      origin: caller.origin,
    });
    if (grant === undefined) throw accessRevoked();
    return await sessionTokens(tokens, grant, refreshToken);
  }

  return async (caller: Caller, password: string): Promise<SessionTokens> => {
    const subject = { kind: 'user', id: caller.id } as const;
    const attempt = { ...contextOf(caller), action: 'reauthenticate', subject } as const;
    return await withAuditedRefusals(audit, attempt, async () => prove(caller, password));
  };
}

function accessRevoked() {
  return problem('access_revoked', 'Log in again.');
}
