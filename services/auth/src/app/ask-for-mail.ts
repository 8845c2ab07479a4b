import type { MailRequests, RequestablePurpose } from './account-links.ts';
import type { Origin } from './audit.ts';
import type { Limits } from './ports.ts';

/**
 * Asks for a mail with a link. What is done here, and for how long, does not depend on whose the address is: it is written down, and a
 * worker looks for the account. One that is asked for too often is not mailed again, which is not told either; the link of the last mail
 * goes on working.
 */
export function askForMail({ limits, mailRequests }: { limits: Limits; mailRequests: MailRequests }) {
  return async (purpose: RequestablePurpose, email: string, origin: Origin): Promise<void> => {
    await limits.causeMail({ actor: null, origin });
    const isWithinLimit = await limits.mail(origin.ip ?? '', email, purpose);
    if (isWithinLimit) await mailRequests.add({ purpose, email, origin });
  };
}
