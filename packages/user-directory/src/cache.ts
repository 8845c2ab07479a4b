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
    SELECT id, email, email_verified, name, role, version, is_deleted, tokens_valid_after, fetched_at
    FROM directory_users WHERE id = $1`,
};

export type UserCache = {
  get(id: string): Promise<DirectoryUser | undefined>;
  /** Makes the next `get` read the table. */
  forget(id: string): void;
};

/** Reads of the directory, remembered for half a second from the start of the read. Reads of one user at once are one query. */
export function createUserCache(db: Database): UserCache {
  // promises, not users: one that is forgotten while it is read still serves those who wait for it, but nobody who comes later
  const reads = new LRUCache<string, Promise<DirectoryUser | undefined>>({ max: maxUsers, ttl: maxAgeMs });

  async function read(id: string): Promise<DirectoryUser | undefined> {
    const [row] = await query<UserRow>(db.pool, { ...findUser, values: [id] });
    return row === undefined ? undefined : toUser(row);
  }

  return {
    async get(id) {
      const known = reads.get(id);
      if (known !== undefined) return await known;
      const reading = read(id);
      reads.set(id, reading);
      reading.catch(() => {
        if (reads.peek(id) === reading) reads.delete(id);
      });
      return await reading;
    },
    forget: (id) => void reads.delete(id),
  };
}
