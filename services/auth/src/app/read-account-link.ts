import { problem } from '@taskwire/errors';
import { linkEndText, type AccountLink, type TokenPurpose } from '../domain/account-link.ts';
import type { AuditSubject, RequestOrigin } from '../domain/audit-context.ts';
import type { AccountLinks } from './account-links.ts';
import type { Audit } from './ports/audit.ts';
import { invitationLink, type Invitations } from './invitations.ts';
import type { LinkReader, LinkReadings } from './link-readings.ts';
import type { LinkTokens } from './link-tokens.ts';

type Parts = {
  links: AccountLinks;
  invitations: Pick<Invitations, 'find'>;
  readings: LinkReadings;
  audit: Pick<Audit, 'record'>;
  linkTokens: LinkTokens;
  /** The base URL of the pages that links open, such as `https://taskwire.example/oidc/account`. */
  pagesUrl: string;
  /** Days after which an account that was never verified is deleted. */
  unverifiedAccountDays: number;
};

/** A link of an account or of an invitation. */
type MailedLink = Pick<AccountLink, 'id' | 'email' | 'expiresAt' | 'end'> &
  Partial<Pick<AccountLink, 'userId' | 'requested' | 'unverifiedSince'>> & { purpose: TokenPurpose };

type Answer = Pick<AccountLink, 'email'> & {
  link: string;
  expires_at: string;
  requested?: NonNullable<AccountLink['requested']> | undefined;
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

/** A request to read a link for a mail; `delivery` is the same for every attempt to send that mail. */
export type LinkQuery = LinkReader & { id: string; origin: RequestOrigin };

/**
 * Creates a link that is about to be mailed, for one delivery. Every request is recorded in the audit log.
 * @throws Problem `not_found`; `gone`, with the reason, for a link that is no longer valid or was read for another delivery.
 */
export function readAccountLink(parts: Parts) {
  const { links, invitations, readings, audit, linkTokens, pagesUrl, unverifiedAccountDays } = parts;

  async function find(id: string): Promise<MailedLink | undefined> {
    const link = await links.find(id);
    if (link !== undefined) return link;
    const invitation = await invitations.find(id);
    return invitation && invitationLink(invitation);
  }

  return async ({ id, origin, ...reader }: LinkQuery): Promise<ReadableLink> => {
    const context = { actor: { kind: 'client', id: reader.client }, origin } as const;
    const link = await find(id);
    if (link === undefined || link.end !== null) {
      await audit.record({ ...context, action: 'account_link.read', ...failureOf(link) });
      throw link?.end ? problem('gone', linkEndText(link.end)) : problem('not_found', 'There is no link with this id.');
    }
    const reading = await readings.read({ userId: undefined, ...link }, reader, context);
    if (reading === 'refused') throw problem('gone', 'It was read before; a link can be read for one mail only.');
    return {
      isRepeated: reading === 'again',
      body: {
        email: link.email,
        link: `${pagesUrl}/${pages[link.purpose]}?token=${linkTokens.tokenOf(link)}`,
        expires_at: link.expiresAt,
        requested: link.requested,
        ...(link.unverifiedSince === undefined || link.purpose !== 'verify_email'
          ? {}
          : { deleted_unless_verified_by: after(link.unverifiedSince, unverifiedAccountDays) }),
      },
    };
  };
}

function failureOf(link: MailedLink | undefined) {
  const outcome = 'failure' as const;
  if (link === undefined) return { outcome, subject: null, reason: 'unknown' };
  return { outcome, subject: linkSubject(link), reason: link.end ?? 'unknown' };
}

/** The account or invitation to which a link belongs, for the audit log. */
export function linkSubject({ id, userId }: { id: string; userId?: string | undefined }): AuditSubject {
  return userId === undefined ? { kind: 'invitation', id } : { kind: 'user', id: userId };
}

function after(instant: string, days: number): string {
  return new Date(Date.parse(instant) + days * dayMs).toISOString();
}

type ReadableLink = {
  /** Whether the same delivery has already received the same response. */
  isRepeated: boolean;
  body: Answer;
};
