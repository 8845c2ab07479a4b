import type { RequestablePurpose } from '../domain/account-link.ts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { MailRequests } from './account-links.ts';
import type { Limits } from './ports/limits.ts';

/**
 * Requests a mail with a link. Neither the work done here nor its duration depends on the owner of the address: the request is stored, and a worker
 * looks up the account. An address that is requested too often gets no further mail, and the response doesn't reveal this; the link in the last mail
 * stays valid.
 */
export function requestMail({ limits, mailRequests }: { limits: Limits; mailRequests: MailRequests }) {
  return async (purpose: RequestablePurpose, email: string, origin: RequestOrigin): Promise<void> => {
    await limits.causeMail({ actor: null, origin });
    const isWithinLimit = await limits.mail(origin.ip ?? '', email, purpose);
    if (isWithinLimit) await mailRequests.add({ purpose, email, origin });
  };
}
