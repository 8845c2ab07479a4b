import type { Users } from './ports.ts';
import { doneBy, type Caller } from './read-user.ts';

/** Ends all sessions of the caller, all browser log-ins, and all consents given to clients. */
export function logOutEverywhere({ users }: { users: Users }) {
  return async (caller: Caller): Promise<void> => {
    await users.change(caller.id, doneBy(caller), async (user) =>
      user.is_deleted ? undefined : { endsSessions: 'logged_out_everywhere' },
    );
  };
}
