import type { Users } from './ports/users.ts';
import { contextOf, type Caller } from './read-user.ts';

/** Ends all sessions of the caller, all browser log-ins, and all consents given to clients. */
export function logOutEverywhere({ users }: { users: Users }) {
  return async (caller: Caller): Promise<void> => {
    await users.change(caller.id, contextOf(caller), async (user) =>
      user.is_deleted ? undefined : { endsSessions: 'logged_out_everywhere' },
    );
  };
}
