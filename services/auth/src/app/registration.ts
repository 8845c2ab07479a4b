import { problem } from '@taskwire/errors';
import { linkNotValid } from './account-links.ts';
import type { Invitation, Invitations } from './invitations.ts';
import type { LinkTokens } from './link-tokens.ts';

/** The people who may register. `domains` applies in the mode of that name: lower case, Punycode, compared as a whole. */
export type RegistrationPolicy = { mode: 'open' | 'domains' | 'invited' | 'off'; domains: readonly string[] };

type Parts = { policy: RegistrationPolicy; invitations: Pick<Invitations, 'find'>; linkTokens: LinkTokens };

export type Registration = ReturnType<typeof registration>;

/** The conditions that an installation sets for registration. */
export function registration({ policy, invitations, linkTokens }: Parts) {
  return {
    /** Refuses callers whom this mode excludes. It looks nothing up, so the response reveals nothing about accounts. @throws Problem. */
    requireAdmission({ email, invitationToken }: { email: string; invitationToken: string | undefined }): void {
      requireOpen(policy);
      if (invitationToken !== undefined) return;
      if (policy.mode === 'invited') {
        throw problem('invitation_required', 'Ask an admin or a manager to invite you, and use the link in the mail.');
      }
      requireAcceptedDomain(policy, email);
    },

    /** Returns the open invitation that a token belongs to. @throws Problem `registration_closed`, `link_not_valid`. */
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

/**
 * Requires an accepted domain for an address that users choose for themselves, including changes of the address. Otherwise an account registered with
 * an address in the domain, which doesn't have to be owned for that, could be verified with another address. @throws Problem
 * `email_domain_not_accepted`.
 */
export function requireAcceptedDomain({ mode, domains }: RegistrationPolicy, email: string): void {
  if (mode !== 'domains' || domains.includes(domainOf(email))) return;
  throw problem('email_domain_not_accepted', 'Use an address of your organisation, or ask an administrator.', {
    errors: [{ field: 'email', code: 'email_domain_not_accepted', message: 'has a domain that is not accepted' }],
  });
}

/** @throws Problem `registration_closed`. */
export function requireOpen({ mode }: RegistrationPolicy): void {
  if (mode === 'off') throw problem('registration_closed', 'An administrator makes the accounts here.');
}

/** The address has passed contract validation: its domain is in ASCII, and it has one @ and no final dot. */
function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1).toLowerCase();
}
