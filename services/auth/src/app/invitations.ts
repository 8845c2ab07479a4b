import { authRoutes, type Role } from '@taskwire/contracts';
import { problem, Problem } from '@taskwire/errors';
import type { Page, Place } from '@taskwire/postgres';
import type { z } from 'zod';
import type { AccountLink } from '../domain/account-link.ts';
import type { AuditContext } from '../domain/audit-context.ts';
import { requireOpen, type RegistrationPolicy } from '../domain/registration-policy.ts';
import type { Audit } from './ports/audit.ts';
import { emailTaken } from './create-user.ts';
import { mailedTooOften } from './mailed-too-often.ts';
import type { Limits } from './ports/limits.ts';
import type { Users } from './ports/users.ts';
import { contextOf, type Caller } from './read-user.ts';

/** An invitation as the API shows it. */
export type Invitation = z.output<(typeof authRoutes.createInvitation.responses)[201]>;

export type InvitationFilter = { state: Invitation['state'] | undefined };

/**
 * Storage of invitations. Each write, its event and its audit entry are committed together. An open invitation counts as revoked once its creator may
 * no longer invite.
 */
export type Invitations = {
  /** `already_invited`: the address has an open invitation. Of several concurrent calls, one wins. */
  create(
    invitation: { email: string; name: string | null; invitedBy: string },
    context: AuditContext,
  ): Promise<Invitation | 'already_invited'>;
  find(id: string): Promise<Invitation | undefined>;
  /** Latest first. */
  list(filter: InvitationFilter, place: Place): Promise<Page<Invitation>>;
  /** False if the invitation is no longer open. */
  revoke(id: string, context: AuditContext): Promise<boolean>;
};

/** An invitation as a mailed link. */
export function invitationLink({ id, email, expires_at: expiresAt, state }: Invitation): InvitationLink {
  return { id, email, expiresAt, end: state === 'open' ? null : state, purpose: 'invitation' };
}

export type InvitationLink = Pick<AccountLink, 'id' | 'email' | 'expiresAt' | 'end'> & { purpose: 'invitation' };

type Parts = { invitations: Invitations; users: Users; limits: Limits; audit: Audit; policy: RegistrationPolicy };

/**
 * Creates an invitation. The link is mailed to the address and shown to no one else, so using it proves that the address belongs to the user.
 * @throws Problem `registration_closed`, `email_taken`, `already_invited`, `rate_limited`.
 */
export function invite({ invitations, users, limits, audit, policy }: Parts) {
  async function create(caller: Caller, { email, name }: { email: string; name: string | null }): Promise<Invitation> {
    requireOpen(policy);
    await limits.invite(caller.id);
    if ((await users.emailTakenBy(email)) !== undefined) throw emailTaken();
    await limits.causeMail(contextOf(caller));
    if (!(await limits.mail(caller.origin.ip ?? '', email, 'invitation'))) {
      throw mailedTooOften();
    }
    const created = await invitations.create({ email, name, invitedBy: caller.id }, contextOf(caller));
    if (created !== 'already_invited') return created;
    throw problem('already_invited', 'Revoke the open invitation before you send another one.');
  }

  return async (caller: Caller, given: { email: string; name?: string | undefined }): Promise<Invitation> => {
    try {
      return await create(caller, { email: given.email, name: given.name ?? null });
    } catch (error) {
      if (error instanceof Problem && error.status < 500) {
        await audit.recordRefusal({
          ...contextOf(caller),
          action: 'invitation.create',
          subject: null,
          reason: error.code,
        });
      }
      throw error;
    }
  };
}

/** Revokes an open invitation. Admins may revoke any, managers only their own. @throws Problem `not_found`, `forbidden`, `gone`. */
export function revokeInvitation({ invitations }: Pick<Parts, 'invitations'>) {
  return async (caller: Caller, id: string): Promise<void> => {
    const invitation = await invitations.find(id);
    if (invitation === undefined) throw problem('not_found', 'There is no invitation with this id.');
    requireMayRevoke(caller, invitation);
    if (await invitations.revoke(id, contextOf(caller))) return;
    throw problem('gone', 'The invitation is no longer open.');
  };
}

function requireMayRevoke({ id, role }: { id: string; role: Role }, { invited_by: invitedBy }: Invitation): void {
  if (role === 'admin' || id === invitedBy) return;
  throw problem('forbidden', 'Managers can revoke only their own invitations.');
}
