import { linkNotValid, type AccountLink } from '../domain/account-link.ts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import { usableLink, type AccountLinks } from './account-links.ts';
import { hashNewPassword, knownCallerTurn } from './hash-new-password.ts';
import type { LinkTokens } from './link-tokens.ts';
import type { Limits } from './ports/limits.ts';
import type { Passwords } from './ports/passwords.ts';
import type { Users } from './ports/users.ts';

type Parts = {
  links: AccountLinks;
  passwords: Passwords;
  users: Users;
  limits: Limits;
};

/**
 * Sets the password of the account for which a link was mailed, and ends all earlier access. Repeating the request succeeds with the same password,
 * and fails with another. The number of repetitions per link is limited, so that a used link can't be used for guessing.
 * @throws Problem `link_not_valid`, `weak_password`.
 */
export function setPasswordByLink({ links, passwords, users, limits }: Parts) {
  async function isAlreadySet(link: AccountLink, { email }: { email: string }, password: string): Promise<boolean> {
    if (!(await limits.repeatLink(link.id))) return false;
    const account = await users.findCredentials(email);
    const { matches } = await passwords.inTurn(knownCallerTurn(link.userId), async () => {
      return await passwords.verify(password, account?.passwordHash);
    });
    return matches && account?.userId === link.userId;
  }

  return async (link: AccountLink, password: string, origin: RequestOrigin): Promise<void> => {
    const user = await users.find(link.userId);
    if (user === undefined) throw linkNotValid('unknown');
    const hashing = { passwords, turn: knownCallerTurn(link.userId) };
    // read first because hashing is expensive; consuming the link makes the final decision
    const result =
      link.end === null
        ? await links.resetPassword(link.id, await hashNewPassword(hashing, 'new_password', password, user), origin)
        : link.end;
    if (result === 'used' && (await isAlreadySet(link, user, password))) return;
    if (typeof result === 'string') throw linkNotValid(result);
    // lets the owner log in while other callers guess at the account's password
    await limits.rememberNetwork(origin, result);
  };
}

/** Sets a new password with a mailed link, and ends all earlier access. @throws Problem `link_not_valid`, `weak_password`. */
export function resetPassword(parts: Parts & { linkTokens: LinkTokens }) {
  const find = usableLink(parts);
  const setPassword = setPasswordByLink(parts);
  return async (given: { token: string; new_password: string }, origin: RequestOrigin): Promise<void> =>
    await setPassword(await find(given.token, 'reset_password'), given.new_password, origin);
}
