import { problem } from '@taskwire/errors';
import type { HashTurn, Passwords } from './ports.ts';

/** Whose password it is to be. */
type Person = { email: string; name: string };

/**
 * The one way in which a password that somebody has chosen becomes the hash that is stored. `field` is what the request calls it.
 * @throws Problem `weak_password`, which says what to do; `unavailable` when too many hashes wait.
 */
export async function hashOfNew(
  { passwords, turn }: { passwords: Passwords; turn: HashTurn },
  field: string,
  password: string,
  person: Person,
): Promise<string> {
  const weakness = passwords.weaknessOf(password, person);
  if (weakness !== undefined) {
    throw problem('weak_password', weakness, { errors: [{ field, code: 'weak_password', message: weakness }] });
  }
  return await passwords.hash(password, turn);
}

/** The turn of somebody who has proven who they are; all that is done for one account shares it. */
export function provenTurn(userId: string): HashTurn {
  return { isKnown: true, source: userId };
}
