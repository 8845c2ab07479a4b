import { schemas } from '@taskwire/contracts';
import { problem, Problem } from '@taskwire/errors';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { Audit } from './ports/audit.ts';
import { knownCallerTurn } from './hash-new-password.ts';
import type { Authentication, Credentials, Users } from './ports/users.ts';
import type { Limits } from './ports/limits.ts';
import type { Passwords } from './ports/passwords.ts';

type Parts = {
  users: Users;
  passwords: Passwords;
  limits: Limits;
  audit: Audit;
};

type Given = { email: string; password: string };

export type Authenticate = ReturnType<typeof authenticate>;

export type CheckPassword = ReturnType<typeof checkPassword>;

/**
 * Checks a password. The work is the same for an unknown account, a deleted one and a wrong password; failures count against the limits. The
 * comparison waits for the caller's turn, so that a flood of unknown callers doesn't delay those whom the account knows.
 * @throws Problem `rate_limited`, `unavailable`.
 */
export function checkPassword({ users, passwords, limits }: Pick<Parts, 'users' | 'passwords' | 'limits'>) {
  async function findCredentials(email: string): Promise<Credentials | undefined> {
    // a value that isn't an address belongs to no account, and may contain characters that the database rejects
    const address = schemas.email.safeParse(email);
    return address.success ? await users.findCredentials(address.data) : undefined;
  }

  return async ({ email, password }: Given, origin: RequestOrigin): Promise<Checked> => {
    const { account, visitor } = await limits.recognize(origin, email, async () => await findCredentials(email));
    const { attempt, matches, outdated } = await passwords.inTurn(visitor.turn, async () => {
      const attempt = await limits.login(visitor);
      const result = await passwords.verify(password, account?.passwordHash).catch(async (error) => {
        // the password was not checked, so this was not a guess
        await attempt.refund();
        throw error;
      });
      return { attempt, ...result };
    });
    if (account === undefined) return { matches: false, account };
    if (!matches) return { matches, account };
    await Promise.all([attempt.refund(), limits.rememberNetwork(origin, account)]);
    return { matches, account, outdated };
  };
}

/** The user to whom the password belongs, if known, and whether the password is correct. */
type Checked =
  { matches: false; account: Credentials | undefined } | { matches: true; account: Credentials; outdated: boolean };

/**
 * Authenticates a user; the response is the same whatever was wrong. This function records failures in the audit log. A success is recorded together
 * with its result: a session, or a log-in at the provider.
 */
export function authenticate({ audit, ...parts }: Parts) {
  const { users, passwords } = parts;
  const check = checkPassword(parts);

  async function recordRefusal(error: unknown, origin: RequestOrigin, account: Credentials | undefined): Promise<void> {
    if (!(error instanceof Problem) || error.status >= 500) return;
    const subject = account === undefined ? null : { kind: 'user' as const, id: account.userId };
    await audit.recordRefusal({ actor: null, action: 'login', subject, origin, reason: error.code });
  }

  return async (given: Given, origin: RequestOrigin): Promise<Authentication> => {
    let account: Credentials | undefined;
    try {
      const checked = await check(given, origin);
      account = checked.account;
      if (!checked.matches) throw wrongCredentials();
      const { userId, tokensValidAfter, at, passwordHash } = checked.account;
      if (checked.outdated) {
        const stronger = await passwords.hash(given.password, knownCallerTurn(userId));
        await users.rehashPassword(userId, passwordHash, stronger);
      }
      return { userId, tokensValidAfter, at };
    } catch (error) {
      await recordRefusal(error, origin, account);
      throw error;
    }
  };
}

export function wrongCredentials() {
  return problem('invalid_credentials', 'Check the e-mail address and the password.');
}
