import { problem } from '@taskwire/errors';
import type { HashTurn, Passwords } from './ports/passwords.ts';

/** The user who chooses the password. */
type Person = { email: string; name: string };

/**
 * Hashes a newly chosen password; no other function produces a hash to store. `field` is the name of the request's field.
 * @throws Problem `weak_password`, which says how to improve it; `unavailable` if too many hashes are waiting.
 */
export async function hashNewPassword(
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

/** The queue position of an authenticated caller; all requests for one account share a position. */
export function knownCallerTurn(userId: string): HashTurn {
  return { isKnown: true, source: userId };
}
