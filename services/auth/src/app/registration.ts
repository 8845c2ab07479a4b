import { problem } from '@taskwire/errors';
import { linkNotValid } from './account-links.ts';
import type { Invitation, Invitations } from './invitations.ts';
import type { LinkTokens } from './link-tokens.ts';

/** Who may make an account. `domains` counts in the mode of that name: lower case, Punycode, compared as a whole. */
export type RegistrationPolicy = { mode: 'open' | 'domains' | 'invited' | 'off'; domains: readonly string[] };

type Parts = { policy: RegistrationPolicy; invitations: Pick<Invitations, 'find'>; linkTokens: LinkTokens };

export type Registration = ReturnType<typeof registration>;

/** What an installation asks of people who register. */
export function registration({ policy, invitations, linkTokens }: Parts) {
  return {
    /** Refuses people whom this mode keeps out, without looking anything up: the answer says nothing about accounts. @throws Problem. */
    requireAdmission({ email, invitationToken }: { email: string; invitationToken: string | undefined }): void {
      requireOpen(policy);
      if (invitationToken !== undefined) return;
      if (policy.mode === 'invited') {
        throw problem('invitation_required', 'Ask an admin or a manager to invite you, and use the link in the mail.');
      }
      requireAcceptedDomain(policy, email);
    },

    /** The open invitation that a token belongs to. @throws Problem `registration_closed`, `link_not_valid`. */
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
 * Holds an address that somebody chose for themselves to the accepted domains. This is also for changes of the address: an account that was made with an
 * address of the domain, which nobody has to own for that, would otherwise be verified by another one. @throws Problem `email_domain_not_accepted`.
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

/** An address has passed the contract by now: its domain is in ASCII, it has one @ and no final dot. */
function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1).toLowerCase();
}
