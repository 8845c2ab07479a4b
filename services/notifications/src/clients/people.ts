import type { ReadThrough, UserDirectory, UsersClient } from '@taskwire/user-directory';
import type { FindAccountHolder, FindPerson } from '../app/ports.ts';

/** People of the user directory; one that has not arrived there yet is asked for at Auth. */
export function findPerson(directory: UserDirectory): FindPerson {
  return async (id) => toPerson(id, await directory.readThrough(id));
}

function toPerson(id: string, answer: ReadThrough): Awaited<ReturnType<FindPerson>> {
  if (answer.kind === 'unavailable') return answer;
  if (answer.kind === 'not_found') return { kind: 'unheard_of' };
  const { user } = answer;
  if (user.isDeleted) {
    return { kind: 'deleted', name: user.name, email: user.email, isEmailVerified: user.emailVerified === true };
  }
  return { kind: 'person', id, name: user.name, email: user.email, isEmailVerified: user.emailVerified === true };
}

/**
 * The same, but Auth is asked about a user whom the directory has as deleted: the account may have been restored a moment ago, and what that calls for
 * must not be dropped because the directory is behind.
 */
export function findAccountHolder(directory: UserDirectory, users: UsersClient): FindAccountHolder {
  return async (id, deletedAt) => {
    const found = deletedAt === undefined ? directory.readThrough(id) : directory.readFormer(id, deletedAt);
    const held = toPerson(id, await found);
    if (held.kind !== 'deleted') return held;
    const answer = await users.getUser(id);
    if (answer.kind === 'unavailable') return answer;
    if (answer.kind !== 'ok') return held;
    const { name, email, email_verified: isEmailVerified } = answer.value;
    return { kind: 'person', id, name, email, isEmailVerified };
  };
}
