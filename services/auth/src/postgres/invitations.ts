import { randomUUIDv7 } from 'node:crypto';
import { appendEvents } from '@taskwire/outbox';
import {
  isoMicros,
  isSqlState,
  keyset,
  pageOf,
  query,
  sqlState,
  type Database,
  type Keyset,
  type Tx,
} from '@taskwire/postgres';
import type { AuditContext } from '../domain/audit-context.ts';
import type { Invitation, Invitations } from '../app/invitations.ts';
import { foldEmail } from '../domain/email-address.ts';
import { appendAudit } from './audit-rows.ts';

export type InvitationsOptions = {
  db: Database;
  lifetimeSeconds: number;
};

export function createInvitations({ db, lifetimeSeconds }: InvitationsOptions): Invitations {
  async function insert(tx: Tx, { email, name, invitedBy }: Parameters<Invitations['create']>[0]): Promise<Invitation> {
    await query(tx, endStale, [foldEmail(email)]);
    const id = randomUUIDv7();
    await query(tx, insertInvitation, [id, email.trim(), name, invitedBy, lifetimeSeconds]);
    const [created] = await query<Invitation>(tx, `${selectInvitations} WHERE invitations.id = $1`, [id]);
    if (created === undefined) throw new Error('an insert gave no row');
    return created;
  }

  return {
    async create(invitation, context) {
      try {
        return await db.transaction(async (tx) => {
          const inserted = await insert(tx, invitation);
          const { id, created_at: timestamp } = inserted;
          const payload = { link_id: id, invited_by: invitation.invitedBy, timestamp };
          await appendEvents(tx, [{ type: 'auth.account.invitation_requested', aggregateId: id, payload }]);
          await appendAudit(tx, {
            ...context,
            action: 'invitation.create',
            subject: subjectOf(id),
            outcome: 'success',
          });
          return inserted;
        });
      } catch (error) {
        if (isSqlState(error, sqlState.uniqueViolation, 'invitations_open_key')) return 'already_invited';
        throw error;
      }
    },

    async find(id) {
      const [found] = await query<Invitation>(db.pool, `${selectInvitations} WHERE invitations.id = $1`, [id]);
      return found;
    },

    async list({ state }, place) {
      const filters = state === undefined ? [] : [state];
      const { condition, orderAndLimit, values } = keyset(latestFirst, place, filters.length + 1);
      const where = [condition, ...(state === undefined ? [] : inState[state])].join(' AND ');
      const text = `${selectInvitations} WHERE ${where} ${orderAndLimit}`;
      const found = await query<Invitation>(db.pool, text, [...filters, ...values]);
      return pageOf(found, latestFirst, place.limit);
    },

    async revoke(id, context) {
      return await db.transaction(async (tx) => {
        const revoked = await query(tx, revokeOpen, [id]);
        if (revoked.length === 0) return false;
        await appendAudit(tx, { ...context, action: 'invitation.revoke', subject: subjectOf(id), outcome: 'success' });
        return true;
      });
    },
  };
}

/** Consumes an open invitation for the account that the caller's transaction creates. Returns false if it isn't open or is for another address. */
export async function consumeInvitation(
  tx: Tx,
  id: string,
  user: { id: string; email: string },
  context: AuditContext,
): Promise<boolean> {
  const taken = await query(tx, useOpen, [id, user.id, foldEmail(user.email)]);
  if (taken.length === 0) return false;
  const actor = { kind: 'user', id: user.id } as const;
  await appendAudit(tx, { ...context, actor, action: 'invitation.use', subject: subjectOf(id), outcome: 'success' });
  return true;
}

const latestFirst: Keyset = { direction: 'DESC', columns: { id: { sql: 'invitations.id', type: 'uuid' } } };

function subjectOf(id: string) {
  return { kind: 'invitation', id } as const;
}

const mayInvite = "(inviter.deleted_at IS NULL AND inviter.role IN ('admin', 'manager'))";

/** The current state of an invitation: neither its expiry nor the end of the inviter's right to invite is written to the row. */
const currentState = `
  CASE WHEN invitations.end_reason IS NOT NULL THEN invitations.end_reason
    WHEN invitations.expires_at <= clock_timestamp() THEN 'expired'
    WHEN NOT ${mayInvite} THEN 'revoked'
    ELSE 'open' END`;

/** The condition for each state; the state is `$1`. Open invitations have an index. */
const inState = {
  open: ['invitations.end_reason IS NULL', `${currentState} = $1`],
  used: [`${currentState} = $1`],
  revoked: [`${currentState} = $1`],
  expired: [`${currentState} = $1`],
};

const selectInvitations = `
  SELECT invitations.id, invitations.email, invitations.name, ${currentState} AS state, invitations.invited_by,
    invitations.user_id, ${isoMicros('invitations.created_at')} AS created_at, ${isoMicros('invitations.expires_at')} AS expires_at
  FROM invitations JOIN users inviter ON inviter.id = invitations.invited_by`;

const isOpen = `invitations.end_reason IS NULL AND inviter.id = invitations.invited_by AND ${currentState} = 'open'`;

/** Makes room for a new invitation to an address by ending one that is no longer open, which removes it from the unique index. */
const endStale = `
  UPDATE invitations SET ended_at = clock_timestamp(), end_reason = ${currentState}
  FROM users inviter
  WHERE lower(invitations.email COLLATE "C") = $1 AND invitations.end_reason IS NULL
    AND inviter.id = invitations.invited_by AND ${currentState} <> 'open'`;

const insertInvitation = `
  INSERT INTO invitations (id, email, name, invited_by, created_at, expires_at)
  SELECT $1, $2, $3, $4, stamp.at, stamp.at + make_interval(secs => $5) FROM (SELECT clock_timestamp() AS at) stamp`;

const revokeOpen = `
  UPDATE invitations SET ended_at = clock_timestamp(), end_reason = 'revoked' FROM users inviter
  WHERE invitations.id = $1 AND ${isOpen}
  RETURNING invitations.id`;

const useOpen = `
  UPDATE invitations SET ended_at = clock_timestamp(), end_reason = 'used', user_id = $2 FROM users inviter
  WHERE invitations.id = $1 AND lower(invitations.email COLLATE "C") = $3 AND ${isOpen}
  RETURNING invitations.id`;
