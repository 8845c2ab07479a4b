import type { ReadThrough, UserDirectory, UsersClient } from '@taskwire/user-directory';
import type { FindAccountHolder, FindUser } from '../app/ports.ts';

/** Looks up users in the directory, and in Auth if they haven't reached the directory yet. */
export function findUser(directory: UserDirectory): FindUser {
  return async (id) => toUser(id, await directory.readThrough(id));
}

function toUser(id: string, response: ReadThrough): Awaited<ReturnType<FindUser>> {
  if (response.kind === 'unavailable') return response;
  if (response.kind === 'not_found') return { kind: 'not_found' };
  const { user } = response;
  if (user.isDeleted) {
    return { kind: 'deleted', name: user.name, email: user.email, isEmailVerified: user.emailVerified === true };
  }
  const { name, email, emailVerified, role } = user;
  return { kind: 'user', id, name, email, isEmailVerified: emailVerified === true, isLeader: isLeader(role) };
}

function isLeader(role: string): boolean {
  return role === 'manager' || role === 'admin';
}

/**
 * Does the same, but also queries Auth if the user is deleted in the directory. The account may just have been restored, and its notification must
 * not be dropped because the directory lags behind.
 */
export function findAccountHolder(directory: UserDirectory, users: UsersClient): FindAccountHolder {
  return async (id, deletedAt) => {
    const found = deletedAt === undefined ? directory.readThrough(id) : directory.readFormer(id, deletedAt);
    const known = toUser(id, await found);
    if (known.kind !== 'deleted') return known;
    const response = await users.getUser(id);
    if (response.kind === 'unavailable') return response;
    if (response.kind !== 'ok') return known;
    const { name, email, email_verified: isEmailVerified, role } = response.value;
    return { kind: 'user', id, name, email, isEmailVerified, isLeader: isLeader(role) };
  };
}
