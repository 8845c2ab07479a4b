import { problem } from '@taskwire/errors';
import { linkEndText, type AccountLinks, type LinkPurpose } from './account-links.ts';
import type { LinkTokens } from './link-tokens.ts';

type Parts = {
  links: AccountLinks;
  linkTokens: LinkTokens;
  /** Where the pages are that links open, such as `https://taskwire.example/oidc/account`. */
  pagesUrl: string;
};

const pages: Readonly<Record<LinkPurpose, string>> = { verify_email: 'verify', reset_password: 'reset' };

/** Makes a link that is about to be mailed. @throws Problem `not_found`; `gone` with the reason for one that does not work any more. */
export function readAccountLink({ links, linkTokens, pagesUrl }: Parts) {
  return async (id: string): Promise<{ email: string; link: string; expires_at: string }> => {
    const link = await links.find(id);
    if (link === undefined) throw problem('not_found', 'There is no link with this id.');
    if (link.end !== null) throw problem('gone', linkEndText(link.end));
    return {
      email: link.email,
      link: `${pagesUrl}/${pages[link.purpose]}?token=${linkTokens.tokenOf(link)}`,
      expires_at: link.expiresAt,
    };
  };
}
