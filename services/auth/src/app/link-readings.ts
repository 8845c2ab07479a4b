import type { TokenPurpose } from '../domain/account-link.ts';
import type { AuditContext } from '../domain/audit-context.ts';

/** The client that reads a link for a mail, and the delivery to which the mail belongs, if the client names it. */
export type LinkReader = { client: string; delivery: string | undefined };

/** `first` and `again`: reads for the link's one delivery. `refused`: any other reader. */
export type LinkReading = 'first' | 'again' | 'refused';

/** The link that is read, with its purpose and user, which are needed for the audit log and for ending the link. */
export type ReadLink = { id: string; purpose: TokenPurpose; userId: string | undefined };

/** Records of who has read which link. Each read and its audit entry are committed together. */
export type LinkReadings = {
  /**
   * Allows a link to be read for one delivery, any number of times. A second delivery can only come from an unauthorised reader, so it ends the link.
   * A read without a delivery is allowed only if it is the first one, and never ends the link.
   */
  read(link: ReadLink, reader: LinkReader, context: AuditContext): Promise<LinkReading>;
};
