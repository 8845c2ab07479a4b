import { problem } from '@taskwire/errors';
import type { DirectoryUser, UserDirectory } from '@taskwire/user-directory';
import type { MentionedUsers } from '../app/comments/ports.ts';
import type { Users } from '../app/ports.ts';
import { eligibilityOf, type PerformerPolicy } from '../domain/performer.ts';

/** Default delay: about the time until a circuit breaker lets a call through again. */
const retryAfterMs = 5_000;

/** Looks up users in the user directory, and in Auth when the directory doesn't know a user yet. */
export function createUsers(
  directory: Pick<UserDirectory, 'readThrough'>,
  policy: PerformerPolicy,
): Users & MentionedUsers {
  async function find(userId: string, who: string): Promise<DirectoryUser | undefined> {
    const found = await directory.readThrough(userId);
    if (found.kind === 'not_found') return undefined;
    if (found.kind === 'ok') return found.user;
    const seconds = Math.max(1, Math.ceil((found.retryAfterMs ?? retryAfterMs) / 1000));
    throw problem('unavailable', `${who} can't be verified right now.`, {
      headers: { 'Retry-After': String(seconds) },
      cause: new Error(found.detail),
    });
  }

  return {
    async eligibilityOf(userId) {
      const user = await find(userId, 'The assignee');
      return user === undefined ? 'unknown' : eligibilityOf(user, policy);
    },
    async exists(userId) {
      const user = await find(userId, 'A mentioned user');
      return user !== undefined && !user.isDeleted;
    },
  };
}
