import { publishEpoch, query, raiseEpochAbove, readStoredEpoch, type Database, type Tx } from '@taskwire/postgres';
import type { RecoveryStore } from '../app/recover.ts';
import type { SealedKey } from '../app/ports/signing-keys.ts';
import type { StoredUser } from '../app/ports/users.ts';
import type { AuditContext } from '../domain/audit-context.ts';
import type { Recovery } from '../domain/recovery.ts';
import { requesterOf } from '../domain/link-request.ts';
import type { UserChange } from '../domain/user-change.ts';
import { openLink } from './account-link-rows.ts';
import { appendAudit } from './audit-rows.ts';
import { isTakenAddress, requireUnreserved } from './undo-links.ts';
import { appendUserEvent, changeUserRow } from './user-changes.ts';
import { storedUserColumns } from './user-rows.ts';
import type { UserSettings } from './users.ts';

export type RecoveryOptions = UserSettings & {
  db: Database;
  /** Replaces the password hash of a locked user; no password matches it. */
  unusableHash: string;
  newKey: () => Promise<Omit<SealedKey, 'signsInMs'>>;
};

/** The number of user ids read per statement. */
const batch = 1_000;

/** The changes that the operator's command makes to a restored database. Each commits together with its audit entry. */
export function createRecoveryStore({ db, unusableHash, newKey, ...settings }: RecoveryOptions): RecoveryStore {
  async function mailNewPassword(tx: Tx, user: StoredUser, context: AuditContext): Promise<void> {
    const { id: userId, email } = user;
    const requestedBy = requesterOf(context.actor, userId);
    const link = { userId, purpose: 'reset_password', email, requestedBy, origin: context.origin } as const;
    await openLink(tx, link, settings.lifetimes);
  }

  return {
    epoch: async () => await readStoredEpoch(db),
    raiseAbove: async (floor) => await raiseEpochAbove(db, floor),
    async *userIds() {
      for (let after: string | null = null; ;) {
        const rows: { id: string }[] = await query(db.pool, listIds, [after]);
        if (rows.length > 0) yield rows.map(({ id }) => id);
        after = rows.at(-1)?.id ?? null;
        if (rows.length < batch) return;
      }
    },
    async recover(id, since, decide, context) {
      return await db.transaction(async (tx) => {
        let recovery: Recovery | undefined;
        const user = await changeUserRow(tx, {
          ...{ id, context, ...settings },
          async decide(found) {
            // read under the lock of the user's row
            if ((await query(tx, findEntry, ['user.recover', id, since])).length > 0) return undefined;
            recovery = decide(found);
            return changeOf(recovery, unusableHash);
          },
        });
        if (user === undefined || recovery === undefined) return undefined;
        if (recovery.kind === 'none') return { recovery, user };
        await record(tx, 'user.recover', { kind: 'user', id }, context, recovery.reason);
        if (recovery.kind === 'lock' && recovery.lostEmail === undefined) await mailNewPassword(tx, user, context);
        return { recovery, user };
      });
    },
    async create(id, { email, name }, context) {
      try {
        return await db.transaction<'created'>(async (tx) => {
          const [user] = await query<StoredUser>(tx, insertLost, [id, email, name, unusableHash]);
          if (user === undefined) throw new Error('an insert gave no row');
          await requireUnreserved(tx, email, id);
          // not `created`, because services that know the user have already welcomed them
          await appendUserEvent(tx, 'auth.user.changed', user);
          await record(tx, 'user.recover', { kind: 'user', id }, context, 'unknown, known to other services');
          await mailNewPassword(tx, user, context);
          return 'created';
        });
      } catch (error) {
        if (isTakenAddress(error)) return 'email_taken';
        throw error;
      }
    },
    async endEverything(since, context) {
      return await db.transaction(async (tx) => {
        const logins = await query(tx, endBrowserLogins, [since]);
        await query(tx, 'DELETE FROM oidc_artifacts WHERE created_at < $1::timestamptz', [since]);
        const links = await query(tx, revokeLinks, [since]);
        const invitations = await query<{ id: string }>(tx, revokeInvitations, [since]);
        for (const { id } of invitations)
          await record(tx, 'invitation.revoke', { kind: 'invitation', id }, context, 'restored');
        return { logins: logins.length, links: links.length, invitations: invitations.length };
      });
    },
    isSecretRotated: async (clientId, since) =>
      (await query(db.pool, findEntry, ['client.rotate_secret', clientId, since])).length > 0,
    async replaceKeys(since, context) {
      const { kid, publicJwk, sealedPrivateKey } = await newKey();
      return await db.transaction(async (tx) => {
        const old = await query(tx, 'DELETE FROM signing_keys WHERE created_at < $1::timestamptz RETURNING kid', [
          since,
        ]);
        const left = await query(tx, 'SELECT FROM signing_keys');
        if (old.length === 0 && left.length > 0) return false;
        await query(tx, insertKey, [kid, publicJwk, sealedPrivateKey]);
        await record(tx, 'keys.rotate', { kind: 'key', id: kid }, context, 'restored');
        return true;
      });
    },
    publish: async () => await publishEpoch(db),
  };
}

function changeOf(recovery: Recovery, passwordHash: string): UserChange | undefined {
  switch (recovery.kind) {
    case 'none':
      return undefined;
    case 'end_access':
      return { endsSessions: 'logged_out_everywhere' };
    case 'delete':
      return { deleted: true, endsSessions: 'user_deleted' };
    case 'lock':
      return {
        ...(recovery.role === undefined ? {} : { role: recovery.role }),
        ...{ passwordHash, endsSessions: 'password_reset' },
      };
  }
}

type Entry = Parameters<typeof appendAudit>[1];

async function record(
  tx: Tx,
  action: Entry['action'],
  subject: NonNullable<Entry['subject']>,
  context: AuditContext,
  reason: string,
): Promise<void> {
  await appendAudit(tx, { ...context, action, subject, outcome: 'success', reason });
}

const listIds = `SELECT id FROM users WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT ${batch}`;

const findEntry = 'SELECT FROM audit_log WHERE action = $1 AND subject_id = $2 AND at >= $3::timestamptz LIMIT 1';

// the address is unverified, and the role of the copy is ignored, because copies must not grant rights
const insertLost = `
  INSERT INTO users (id, email, name, role, email_verified, password_hash, created_at, updated_at)
  SELECT $1, $2, $3, 'member', false, $4, stamp.at, stamp.at FROM (SELECT clock_timestamp() AS at) stamp
  RETURNING ${storedUserColumns}`;

const endBrowserLogins = `
  UPDATE browser_logins SET ended_at = clock_timestamp() WHERE ended_at IS NULL AND created_at < $1::timestamptz RETURNING id`;

// links that undo a change of address are kept, because they are a right of the former owner
const revokeLinks = `
  UPDATE account_links SET revoked_at = clock_timestamp(), revoke_reason = 'access_ended'
  WHERE used_at IS NULL AND revoked_at IS NULL AND purpose <> 'undo_email' AND created_at < $1::timestamptz RETURNING id`;

const revokeInvitations = `
  UPDATE invitations SET ended_at = clock_timestamp(), end_reason = 'revoked'
  WHERE end_reason IS NULL AND created_at < $1::timestamptz RETURNING id`;

const insertKey = `
  INSERT INTO signing_keys (kid, public_jwk, private_key, signs_from) VALUES ($1, $2, $3, clock_timestamp())`;
