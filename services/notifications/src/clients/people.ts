import type { UserDirectory } from '@taskwire/user-directory';
import type { FindPerson } from '../app/ports.ts';

/** People of the user directory; one that has not arrived there yet is asked for at Auth. */
export function findPerson(directory: UserDirectory): FindPerson {
  return async (id) => {
    const answer = await directory.readThrough(id);
    if (answer.kind === 'unavailable') return answer;
    if (answer.kind === 'not_found') return { kind: 'unheard_of' };
    const { user } = answer;
    if (user.isDeleted) return { kind: 'deleted' };
    return { kind: 'person', id, name: user.name, email: user.email, isEmailVerified: user.emailVerified === true };
  };
}
