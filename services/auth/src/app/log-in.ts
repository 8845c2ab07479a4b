import { schemas } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { Credentials, Limits, Passwords, Sessions, TokenIssuer, Users } from './ports.ts';
import { newRefreshToken, sessionTokens, type SessionTokens } from './session-tokens.ts';

type Parts = {
  users: Users;
  sessions: Sessions;
  passwords: Passwords;
  tokens: TokenIssuer;
  limits: Limits;
  /** Whether an address has to be verified before its account can be used. */
  requireVerifiedEmail: boolean;
};

/** Starts a session. An unknown account, a deleted one and a wrong password get the same answer after the same work. */
export function logIn(parts: Parts) {
  const { users, sessions, passwords, tokens, limits } = parts;

  async function findCredentials(email: string): Promise<Credentials | undefined> {
    // what is not an address cannot be an account's, and may hold what a database cannot read
    return schemas.email.safeParse(email).success ? await users.findCredentials(email) : undefined;
  }

  return async ({ email, password }: { email: string; password: string }, ip: string): Promise<SessionTokens> => {
    const attempt = await limits.login(ip, email);
    const account = await findCredentials(email);
    const { matches, outdated } = await passwords.verify(password, account?.passwordHash).catch(async (error) => {
      // nothing was checked, so nothing was guessed
      await attempt.forgive();
      throw error;
    });
    if (account === undefined || !matches) throw wrongCredentials();
    await attempt.forgive();
    if (parts.requireVerifiedEmail && !account.emailVerified) throw problem('email_not_verified');
    if (outdated) {
      await users.strengthenPasswordHash(account.userId, account.passwordHash, await passwords.hash(password));
    }
    const { token, hash } = newRefreshToken();
    const grant = await sessions.open({
      userId: account.userId,
      tokensValidAfter: account.tokensValidAfter,
      refreshTokenHash: hash,
    });
    if (grant === undefined) throw wrongCredentials();
    return await sessionTokens(tokens, grant, token);
  };
}

function wrongCredentials() {
  return problem('invalid_credentials', 'Check the e-mail address and the password.');
}
