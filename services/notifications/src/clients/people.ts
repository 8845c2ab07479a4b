import type { ReadThrough, UserDirectory, UsersClient } from '@taskwire/user-directory';
import type { FindAccountHolder, FindPerson } from '../app/ports.ts';

/** Looks up users in the directory, and in Auth if they haven't reached the directory yet. */
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
 * Does the same, but queries Auth about a user whom the directory has as deleted. The account may just have been
 * restored, and its notification must not be dropped because the directory lags behind.
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
