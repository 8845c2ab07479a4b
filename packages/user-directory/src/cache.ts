import { query, type Database } from '@taskwire/postgres';
import { LRUCache } from 'lru-cache';
import { toUser, type DirectoryUser, type UserRow } from './user.ts';

/**
 * How old a cached user may be, in milliseconds. A deleted or demoted user loses access within a second of the event: half of it is for the event and the
 * fetch, half for replicas that do not hear of the change but through the database.
 */
const maxAgeMs = 500;
/** About 300 bytes each. */
const maxUsers = 20_000;

const findUser = {
  name: 'directory-find-user',
  text: `
    SELECT id, email, email_verified, name, role, version, is_deleted, tokens_valid_after, fetched_at,
      deletion_claimed_at IS NOT NULL AS "isDeletionClaimed"
    FROM directory_users WHERE id = $1`,
};

/** What is held of a user. */
export type Held = {
  /** Undefined for one of whom only events told. */
  user: DirectoryUser | undefined;
  /** An event claims that the user was deleted, and Auth has not confirmed or denied it yet. */
  isDeletionClaimed: boolean;
  tokensValidAfter: Date | null;
};

export type UserCache = {
  get(id: string): Promise<DirectoryUser | undefined>;
  /** Undefined for somebody of whom nothing was ever heard. */
  held(id: string): Promise<Held | undefined>;
  /** Makes the next read look into the table. */
  forget(id: string): void;
};

/** Reads of the directory, remembered for half a second from the start of the read. Reads of one user at once are one query. */
export function createUserCache(db: Database): UserCache {
  // promises, not users: one that is forgotten while it is read still serves those who wait for it, but nobody who comes later
  const reads = new LRUCache<string, Promise<Held | undefined>>({ max: maxUsers, ttl: maxAgeMs });

  async function read(id: string): Promise<Held | undefined> {
    const [row] = await query<UserRow & Pick<Held, 'isDeletionClaimed'>>(db.pool, { ...findUser, values: [id] });
    if (row === undefined) return undefined;
    const { isDeletionClaimed, tokens_valid_after: tokensValidAfter } = row;
    return { user: toUser(row), isDeletionClaimed, tokensValidAfter };
  }

  async function held(id: string): Promise<Held | undefined> {
    const known = reads.get(id);
    if (known !== undefined) return await known;
    const reading = read(id);
    reads.set(id, reading);
    reading.catch(() => {
      if (reads.peek(id) === reading) reads.delete(id);
    });
    return await reading;
  }

  return {
    held,
    get: async (id) => (await held(id))?.user,
    forget: (id) => void reads.delete(id),
  };
}
