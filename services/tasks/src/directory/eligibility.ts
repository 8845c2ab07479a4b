import { problem } from '@taskwire/errors';
import type { UserDirectory } from '@taskwire/user-directory';
import type { Users } from '../app/ports.ts';
import { eligibilityOf, type PerformerPolicy } from '../domain/performer.ts';

/** Default delay: about the time until a circuit breaker lets a call through again. */
const retryAfterMs = 5_000;

/** Looks up users in the user directory, and in Auth when the directory doesn't know a user yet. */
export function createUsers(directory: Pick<UserDirectory, 'readThrough'>, policy: PerformerPolicy): Users {
  return {
    eligibilityOf: async (userId) => {
      const found = await directory.readThrough(userId);
      if (found.kind === 'not_found') return 'unknown';
      if (found.kind === 'ok') return eligibilityOf(found.user, policy);
      const seconds = Math.max(1, Math.ceil((found.retryAfterMs ?? retryAfterMs) / 1000));
      throw problem('unavailable', "The assignee can't be verified right now.", {
        headers: { 'Retry-After': String(seconds) },
        cause: new Error(found.detail),
      });
    },
  };
}
