import { problem } from '@taskwire/errors';
import { linkEndText, type AccountLink, type AccountLinks, type TokenPurpose } from './account-links.ts';
import { invitationLink, type Invitations } from './invitations.ts';
import type { LinkTokens } from './link-tokens.ts';

type Parts = {
  links: AccountLinks;
  invitations: Pick<Invitations, 'find'>;
  linkTokens: LinkTokens;
  /** Where the pages are that links open, such as `https://taskwire.example/oidc/account`. */
  pagesUrl: string;
  /** Days after which an account that nobody ever verified is deleted. */
  unverifiedAccountDays: number;
};

/** A link of an account, or of an invitation. */
type MailedLink = Pick<AccountLink, 'id' | 'email' | 'expiresAt' | 'end'> &
  Partial<Pick<AccountLink, 'requested' | 'unverifiedSince'>> & { purpose: TokenPurpose };

type Answer = Pick<AccountLink, 'email'> & {
  link: string;
  expires_at: string;
  requested?: NonNullable<AccountLink['requested']>;
  deleted_unless_verified_by?: string;
};

const pages: Readonly<Record<TokenPurpose, string>> = {
  verify_email: 'verify',
  reset_password: 'reset',
  confirm_email: 'confirm_email',
  undo_email: 'undo_email',
  invitation: 'invitation',
};
const dayMs = 86_400_000;

/** Makes a link that is about to be mailed. @throws Problem `not_found`; `gone` with the reason for one that does not work any more. */
export function readAccountLink({ links, invitations, linkTokens, pagesUrl, unverifiedAccountDays }: Parts) {
  async function find(id: string): Promise<MailedLink | undefined> {
    const link = await links.find(id);
    if (link !== undefined) return link;
    const invitation = await invitations.find(id);
    return invitation && invitationLink(invitation);
  }

  return async (id: string): Promise<Answer> => {
    const link = await find(id);
    if (link === undefined) throw problem('not_found', 'There is no link with this id.');
    if (link.end !== null) throw problem('gone', linkEndText(link.end));
    return {
      email: link.email,
      link: `${pagesUrl}/${pages[link.purpose]}?token=${linkTokens.tokenOf(link)}`,
      expires_at: link.expiresAt,
      ...(link.requested === undefined ? {} : { requested: link.requested }),
      ...(link.unverifiedSince === undefined || link.purpose !== 'verify_email'
        ? {}
        : { deleted_unless_verified_by: after(link.unverifiedSince, unverifiedAccountDays) }),
    };
  };
}

function after(instant: string, days: number): string {
  return new Date(Date.parse(instant) + days * dayMs).toISOString();
}
