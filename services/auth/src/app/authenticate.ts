import { schemas } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { Authentication, Credentials, Limits, Passwords, Users } from './ports.ts';

type Parts = {
  users: Users;
  passwords: Passwords;
  limits: Limits;
  /** Whether an address has to be verified before its account can be used. */
  requireVerifiedEmail: boolean;
};

export type Authenticate = ReturnType<typeof authenticate>;

/** Checks a password. An unknown account, a deleted one and a wrong password get the same answer after the same work. */
export function authenticate({ users, passwords, limits, requireVerifiedEmail }: Parts) {
  async function findCredentials(email: string): Promise<Credentials | undefined> {
    // what is not an address cannot be an account's, and may hold what a database cannot read
    return schemas.email.safeParse(email).success ? await users.findCredentials(email) : undefined;
  }

  return async ({ email, password }: { email: string; password: string }, ip: string): Promise<Authentication> => {
    const attempt = await limits.login(ip, email);
    const account = await findCredentials(email);
    const { matches, outdated } = await passwords.verify(password, account?.passwordHash).catch(async (error) => {
      // nothing was checked, so nothing was guessed
      await attempt.forgive();
      throw error;
    });
    if (account === undefined || !matches) throw wrongCredentials();
    await attempt.forgive();
    if (requireVerifiedEmail && !account.emailVerified) throw problem('email_not_verified');
    if (outdated) {
      await users.strengthenPasswordHash(account.userId, account.passwordHash, await passwords.hash(password));
    }
    const { userId, tokensValidAfter, at } = account;
    return { userId, tokensValidAfter, at };
  };
}

export function wrongCredentials() {
  return problem('invalid_credentials', 'Check the e-mail address and the password.');
}
