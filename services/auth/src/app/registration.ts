import { problem } from '@taskwire/errors';
import { requireAcceptedDomain, requireOpen, type RegistrationPolicy } from '../domain/registration-policy.ts';
import { linkNotValid } from '../domain/account-link.ts';
import type { Invitation, Invitations } from './invitations.ts';
import type { LinkTokens } from './link-tokens.ts';

type Parts = { policy: RegistrationPolicy; invitations: Pick<Invitations, 'find'>; linkTokens: LinkTokens };

export type Registration = ReturnType<typeof registration>;

/** The conditions that an installation sets for registration. */
export function registration({ policy, invitations, linkTokens }: Parts) {
  return {
    /** Refuses callers whom the current mode excludes. It reads no accounts, so the response reveals nothing about them. @throws Problem. */
    requireAdmission({ email, invitationToken }: { email: string; invitationToken: string | undefined }): void {
      requireOpen(policy);
      if (invitationToken !== undefined) return;
      if (policy.mode === 'invited') {
        throw problem(
          'invitation_required',
          'Ask an admin or a manager for an invitation, and use the link in the mail.',
        );
      }
      requireAcceptedDomain(policy, email);
    },

    /** Returns the open invitation to which a token belongs. @throws Problem `registration_closed`, `link_not_valid`. */
    async openInvitation(token: string): Promise<Invitation> {
      requireOpen(policy);
      const id = linkTokens.idOf(token, 'invitation');
      const invitation = id === undefined ? undefined : await invitations.find(id);
      if (invitation === undefined) throw linkNotValid('unknown');
      if (invitation.state !== 'open') throw linkNotValid(invitation.state);
      return invitation;
    },
  };
}
