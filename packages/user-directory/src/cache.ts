import { query, type Database } from '@taskwire/postgres';
import { LRUCache } from 'lru-cache';
import { toUser, type DirectoryUser, type UserRow } from './user.ts';

/**
 * The maximum age of a cached user, in milliseconds. A deleted or demoted user loses access within a second of the event: half of that second is for
 * the event and the fetch, and half for replicas, which see the change only through the database.
 */
const maxAgeMs = 500;
/** About 300 bytes each. */
const maxUsers = 20_000;

const findUser = {
  name: 'directory.find_user',
  text: `
    SELECT id, email, email_verified, name, role, version, is_deleted, tokens_valid_after, fetched_at,
      deletion_claimed_at IS NOT NULL AS "isDeletionClaimed"
    FROM directory_users WHERE id = $1`,
};

/** A user as stored in the directory. */
export type StoredUser = {
  /** Undefined for a user known only from events. */
  user: DirectoryUser | undefined;
  /** Whether an event claims that the user was deleted, while Auth has not confirmed or denied this yet. */
  isDeletionClaimed: boolean;
  tokensValidAfter: Date | null;
};

export type UserCache = {
  get(id: string): Promise<DirectoryUser | undefined>;
  /** Undefined for a user who was never seen, not even in an event. */
  find(id: string): Promise<StoredUser | undefined>;
  /** Makes the next read query the table. */
  forget(id: string): void;
};

/** Caches reads of the directory for half a second from the start of the read. Concurrent reads of one user share one query. */
export function createUserCache(db: Database): UserCache {
  // promises, not users: an entry removed while its read is running still serves the callers already waiting for it, but no later ones
  const reads = new LRUCache<string, Promise<StoredUser | undefined>>({ max: maxUsers, ttl: maxAgeMs });

  async function read(id: string): Promise<StoredUser | undefined> {
    const [row] = await query<UserRow & Pick<StoredUser, 'isDeletionClaimed'>>(db.pool, { ...findUser, values: [id] });
    if (row === undefined) return undefined;
    const { isDeletionClaimed, tokens_valid_after: tokensValidAfter } = row;
    return { user: toUser(row), isDeletionClaimed, tokensValidAfter };
  }

  async function find(id: string): Promise<StoredUser | undefined> {
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
    find,
    get: async (id) => (await find(id))?.user,
    forget: (id) => void reads.delete(id),
  };
}
