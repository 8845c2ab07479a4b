import type { TokenPurpose } from '../domain/account-link.ts';
import type { AuditContext } from '../domain/audit-context.ts';

/** The client that reads a link for a mail, and the delivery that the mail belongs to, if the client names it. */
export type LinkReader = { client: string; delivery: string | undefined };

/** `first` and `again` for the one delivery that a link is read for, `refused` for any other reader. */
export type LinkReading = 'first' | 'again' | 'refused';

/** The link's purpose and user, for the audit log and for ending it. */
export type ReadLink = { id: string; purpose: TokenPurpose; userId: string | undefined };

/** Records of who has read which link. Each reading and its audit entry are committed together. */
export type LinkReadings = {
  /**
   * Allows a link to be read for one delivery, any number of times. A second delivery never occurs unless an unauthorised reader reads links, so it
   * ends the link. A reading without a delivery is allowed only as the first and only one, and ends nothing.
   */
  read(link: ReadLink, reader: LinkReader, context: AuditContext): Promise<LinkReading>;
};
