import { randomUUIDv7 } from 'node:crypto';
import { isoMicros, query, type Database, type Tx } from '@taskwire/postgres';
import type { Credentials, StoredUser, User, Users } from '../app/ports/users.ts';
import { foldEmail } from '../domain/email-address.ts';
import { openLink, type LinkLifetimes } from './account-link-rows.ts';
import { actorOf, appendAdminAdded } from './account-events.ts';
import { appendAudit } from './audit-rows.ts';
import { consumeInvitation } from './invitations.ts';
import { isReserved, isTakenAddress, requireUnreserved } from './undo-links.ts';
import { appendUserEvent, changeUserRow, findUser } from './user-changes.ts';
import { listChangedUsers, listUsers } from './user-lists.ts';
import { foldedEmail, restorableUntil, secondsNow, storedUserColumns, userColumns } from './user-rows.ts';

export type UserSettings = {
  /** Lifetimes of links, in seconds. */
  lifetimes: LinkLifetimes;
  /** The number of days within which a deletion can be reversed. */
  restoreDays: number;
};

/** Thrown to roll back the creation of an account whose invitation has ended in the meantime. */
class InvitationEnded extends Error {}

export function createUsers(db: Database, settings: UserSettings): Users {
  const { lifetimes, restoreDays } = settings;

  async function transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T | 'email_taken'> {
    try {
      return await db.transaction(work);
    } catch (error) {
      if (isTakenAddress(error)) return 'email_taken';
      throw error;
    }
  }

  return {
    async create(user, context) {
      const creation = transaction(async (tx) => {
        const [created] = await query<User>(tx, insertUser, [
          randomUUIDv7(),
          user.email.trim(),
          user.name,
          user.role,
          user.emailVerified,
          user.passwordHash,
          context.action === 'register',
        ]);
        if (created === undefined) throw new Error('an insert gave no row');
        await requireUnreserved(tx, created.email, created.id);
        await appendUserEvent(tx, 'auth.user.created', created);
        if (!created.email_verified) {
          const requestedBy = context.action === 'register' ? 'registration' : 'admin';
          const link = { userId: created.id, purpose: 'verify_email', email: created.email } as const;
          await openLink(tx, { ...link, requestedBy, origin: context.origin }, lifetimes);
        }
        const reason = context.action === 'user.create' ? created.role : undefined;
        await appendAudit(tx, { ...context, subject: { kind: 'user', id: created.id }, outcome: 'success', reason });
        if (created.role === 'admin') {
          await appendAdminAdded(tx, { admin_id: created.id, timestamp: created.updated_at, actor: actorOf(context) });
        }
        const { invitationId } = user;
        if (invitationId !== undefined && !(await consumeInvitation(tx, invitationId, created, context))) {
          throw new InvitationEnded();
        }
        return created;
      });
      return await creation.catch((error: unknown) => {
        if (error instanceof InvitationEnded) return 'invitation_ended';
        throw error;
      });
    },

    async find(id) {
      const [user] = await query<StoredUser>(db.pool, { ...findUser, values: [id] });
      return user;
    },

    async emailTakenBy(email, forUser) {
      const rows = await query(db.pool, findOther, [foldEmail(email), forUser ?? null]);
      if (rows.length > 0) return 'account';
      return (await isReserved(db.pool, email, forUser)) ? 'reservation' : undefined;
    },

    async findCredentials(email) {
      const [found] = await query<Credentials>(db.pool, { ...findCredentials, values: [foldEmail(email)] });
      return found;
    },

    async rehashPassword(id, before, after) {
      await query(db.pool, 'UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2', [
        id,
        before,
        after,
      ]);
    },

    async change(id, context, decide) {
      return await transaction(async (tx) => {
        return await changeUserRow(tx, { id, context, decide, ...settings });
      });
    },

    async changePassword(id, { before, after }, context) {
      let isCurrent = false;
      const changed = await transaction(async (tx) => {
        return await changeUserRow(tx, {
          ...{ id, context, ...settings },
          async decide() {
            isCurrent =
              (await query(tx, 'SELECT FROM users WHERE id = $1 AND password_hash = $2', [id, before])).length > 0;
            return isCurrent ? { passwordHash: after, endsSessions: 'password_changed' } : undefined;
          },
        });
      });
      return isCurrent && changed !== 'email_taken' ? changed : undefined;
    },

    async restore(id, passwordHash, context) {
      let isTooLate = false;
      const restored = await transaction(async (tx) => {
        return await changeUserRow(tx, {
          ...{ id, context, ...settings },
          async decide(user) {
            if (!user.is_deleted) return undefined;
            isTooLate =
              (await query(tx, `SELECT FROM users WHERE id = $1 AND ${isRestorable}`, [id, restoreDays])).length === 0;
            return isTooLate ? undefined : { restored: true, passwordHash };
          },
        });
      });
      return isTooLate ? 'too_late' : restored;
    },

    async findRestorable(email) {
      const [found] = await query<StoredUser>(db.pool, findRestorable, [foldEmail(email), restoreDays]);
      return found;
    },

    list: async (filter, place) => await listUsers(db, { ...filter, restoreDays }, place),
    listChanged: async (filter, place) => await listChangedUsers(db, filter, place),
  };
}

const findOther = `
  SELECT FROM users WHERE ${foldedEmail} = $1 AND deleted_at IS NULL AND id IS DISTINCT FROM $2`;

const insertUser = `
  INSERT INTO users (id, email, name, role, email_verified, password_hash, self_registered, created_at, updated_at)
  SELECT $1, $2, $3, $4, $5, $6, $7, stamp.at, stamp.at FROM (SELECT clock_timestamp() AS at) stamp
  RETURNING ${userColumns}`;

/** $2: the number of days. */
const isRestorable = `erased_at IS NULL AND ${restorableUntil('$2')} > clock_timestamp()`;

const findRestorable = `
  SELECT ${storedUserColumns} FROM users
  WHERE ${foldedEmail} = $1 AND deleted_at IS NOT NULL AND ${isRestorable}
  ORDER BY users.deleted_at DESC LIMIT 1`;

export const findCredentials = {
  name: 'users.find_credentials',
  text: `
    SELECT users.id AS "userId", users.password_hash AS "passwordHash",
      ${isoMicros('users.tokens_valid_after')} AS "tokensValidAfter", ${secondsNow} AS at
    FROM users WHERE ${foldedEmail} = $1 AND users.deleted_at IS NULL`,
};
