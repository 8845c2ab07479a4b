import { linkNotValid, usableLink, type AccountLink, type AccountLinks } from './account-links.ts';
import type { Origin } from './audit.ts';
import { hashOfNew, provenTurn } from './hash-of-new.ts';
import type { LinkTokens } from './link-tokens.ts';
import type { Limits, Passwords, Users } from './ports.ts';

type Parts = {
  links: AccountLinks;
  passwords: Passwords;
  users: Users;
  limits: Limits;
};

/**
 * Sets the password of the account that a link was mailed for, and ends all access from before. Sent a second time, the same password is
 * no failure, and another one is. That is told a few times for each link only: a used link must be no place to guess at.
 * @throws Problem `link_not_valid`, `weak_password`.
 */
export function setPasswordByLink({ links, passwords, users, limits }: Parts) {
  async function isAlreadySet(link: AccountLink, { email }: { email: string }, password: string): Promise<boolean> {
    if (!(await limits.repeatLink(link.id))) return false;
    const account = await users.findCredentials(email);
    const { matches } = await passwords.inTurn(provenTurn(link.userId), async () => {
      return await passwords.verify(password, account?.passwordHash);
    });
    return matches && account?.userId === link.userId;
  }

  return async (link: AccountLink, password: string, origin: Origin): Promise<void> => {
    const user = await users.find(link.userId);
    if (user === undefined) throw linkNotValid('unknown');
    const hashing = { passwords, turn: provenTurn(link.userId) };
    // looked at first because hashing is dear; using it decides
    const result =
      link.end === null
        ? await links.resetPassword(link.id, await hashOfNew(hashing, 'new_password', password, user), origin)
        : link.end;
    if (result === 'used' && (await isAlreadySet(link, user, password))) return;
    if (typeof result === 'string') throw linkNotValid(result);
    // the way in for an owner whose account others guess at
    await limits.trust(origin, result);
  };
}

/** Sets a new password by a mailed link, and ends all access from before. @throws Problem `link_not_valid`, `weak_password`. */
export function resetPassword(parts: Parts & { linkTokens: LinkTokens }) {
  const find = usableLink(parts);
  const setPassword = setPasswordByLink(parts);
  return async (given: { token: string; new_password: string }, origin: Origin): Promise<void> =>
    await setPassword(await find(given.token, 'reset_password'), given.new_password, origin);
}
