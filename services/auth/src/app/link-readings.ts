import type { TokenPurpose } from './account-links.ts';
import type { Occasion } from './audit.ts';

/** Who reads a link for a mail: the client, and the delivery that the mail belongs to, if it says which. */
export type LinkReader = { client: string; delivery: string | undefined };

/** `first` and `again` for the one delivery that a link is read for, `refused` for any other reader. */
export type LinkReading = 'first' | 'again' | 'refused';

/** What a link is of, for the audit log and for ending it. */
export type ReadLink = { id: string; purpose: TokenPurpose; userId: string | undefined };

/** Where it is kept who has read which link. Each reading is an entry of the audit log that becomes true together with it. */
export type LinkReadings = {
  /**
   * Lets a link be read for one delivery, as often as that asks. A second delivery, which there never is unless somebody else reads links, ends the
   * link. A reading without a delivery is the only one, and ends nothing.
   */
  read(link: ReadLink, reader: LinkReader, by: Occasion): Promise<LinkReading>;
};
