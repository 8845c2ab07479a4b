import { randomUUIDv7 } from 'node:crypto';
import type { EventType } from '@taskwire/contracts';
import { appendEvents } from '@taskwire/outbox';
import { isoMicros, isSqlState, query, sqlState, type Database, type Tx } from '@taskwire/postgres';
import type { Credentials, InternalUser, User, UserChange, Users } from '../app/ports.ts';
import { listChangedUsers, listUsers } from './user-lists.ts';
import { foldedEmail, foldEmail, internalUserColumns, secondsNow, userColumns } from './user-rows.ts';

/** Admins go one at a time: "taskadmi" as a bigint. */
const adminsLock = '8386110886541357417';

/** `onEvents` is called once events were committed, as a hint to publish them. */
export function createUsers(db: Database, onEvents: () => void): Users {
  async function announced<T>(work: (tx: Tx) => Promise<T>): Promise<T | 'email_taken'> {
    try {
      const result = await db.transaction(work);
      onEvents();
      return result;
    } catch (error) {
      if (isSqlState(error, sqlState.uniqueViolation, 'users_email_key')) return 'email_taken';
      throw error;
    }
  }

  return {
    async create(user) {
      return await announced(async (tx) => {
        const [created] = await query<User>(tx, insertUser, [
          randomUUIDv7(),
          user.email.trim(),
          user.name,
          user.role,
          user.emailVerified,
          user.passwordHash,
        ]);
        if (created === undefined) throw new Error('an insert gave no row');
        await announce(tx, 'auth.user.created', created);
        return created;
      });
    },

    async find(id) {
      const [user] = await query<InternalUser>(db.pool, { name: 'find_user', text: findUser, values: [id] });
      return user;
    },

    async isEmailTaken(email) {
      const rows = await query(db.pool, `SELECT FROM users WHERE ${foldedEmail} = $1 AND deleted_at IS NULL`, [
        foldEmail(email),
      ]);
      return rows.length > 0;
    },

    async findCredentials(email) {
      const [found] = await query<Credentials>(db.pool, findCredentials, [foldEmail(email)]);
      return found;
    },

    async strengthenPasswordHash(id, before, after) {
      await query(db.pool, 'UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2', [
        id,
        before,
        after,
      ]);
    },

    async change(id, decide) {
      return await announced(async (tx) => {
        const [user] = await query<InternalUser>(tx, `${findUser} FOR NO KEY UPDATE`, [id]);
        if (user === undefined) return undefined;
        const change = await decide(user, async () => await isThereAnotherAdmin(tx, id));
        if (change === undefined || Object.keys(change).length === 0) return user;
        const changed = await applyChange(tx, user, change);
        await announce(tx, change.deleted === true ? 'auth.user.deleted' : 'auth.user.changed', changed);
        return changed;
      });
    },

    list: async (filter) => await listUsers(db.pool, filter),
    listChanged: async (filter) => await listChangedUsers(db.pool, filter),
  };
}

const findUser = `SELECT ${internalUserColumns} FROM users WHERE users.id = $1`;

const insertUser = `
  INSERT INTO users (id, email, name, role, email_verified, password_hash, created_at, updated_at)
  SELECT $1, $2, $3, $4, $5, $6, stamp.at, stamp.at FROM (SELECT clock_timestamp() AS at) stamp
  RETURNING ${userColumns}`;

const findCredentials = `
  SELECT users.id AS "userId", users.password_hash AS "passwordHash", users.email_verified AS "emailVerified",
    ${isoMicros('users.tokens_valid_after')} AS "tokensValidAfter", ${secondsNow} AS at
  FROM users WHERE ${foldedEmail} = $1 AND users.deleted_at IS NULL`;

// The row is locked by an earlier statement: an UPDATE that had to wait for a log-in would have read the clock before it waited, and
// tokens_valid_after would be older than the token that the log-in was given.
const updateUser = `
  UPDATE users SET
    email = $2, name = $3, role = $4, email_verified = $5,
    password_hash = CASE WHEN $6 THEN NULL ELSE password_hash END,
    deleted_at = CASE WHEN $6 THEN stamp.at END,
    tokens_valid_after = CASE WHEN $7 THEN stamp.at ELSE tokens_valid_after END,
    version = version + 1,
    updated_at = stamp.at
  FROM (
    SELECT greatest(clock_timestamp(), updated_at + interval '1 microsecond') AS at FROM users WHERE id = $1
  ) stamp
  WHERE users.id = $1
  RETURNING ${internalUserColumns}`;

const endSessions = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = $2 WHERE user_id = $1 AND ended_at IS NULL`;

async function applyChange(tx: Tx, user: InternalUser, change: UserChange): Promise<InternalUser> {
  const { email = user.email, name = user.name, role = user.role, deleted = false, endsSessions } = change;
  // a new address is not the one that was verified; another spelling of it is
  const verified = user.email_verified && foldEmail(email) === foldEmail(user.email);
  const [changed] = await query<InternalUser>(tx, updateUser, [
    user.id,
    email.trim(),
    name,
    role,
    verified,
    deleted,
    endsSessions !== undefined,
  ]);
  if (changed === undefined) throw new Error('a locked user was not there to change');
  if (endsSessions !== undefined) await query(tx, endSessions, [user.id, endsSessions]);
  return changed;
}

/** The lock comes after the one of the user's row, everywhere, and counting locks nothing: so nobody waits in a circle. */
async function isThereAnotherAdmin(tx: Tx, id: string): Promise<boolean> {
  await query(tx, 'SELECT pg_advisory_xact_lock($1::bigint)', [adminsLock]);
  const others = await query(tx, "SELECT FROM users WHERE role = 'admin' AND deleted_at IS NULL AND id <> $1 LIMIT 1", [
    id,
  ]);
  return others.length > 0;
}

async function announce(tx: Tx, type: EventType & `auth.${string}`, user: User): Promise<void> {
  await appendEvents(tx, [{ type, aggregateId: user.id, payload: { user_id: user.id, timestamp: user.updated_at } }]);
}
