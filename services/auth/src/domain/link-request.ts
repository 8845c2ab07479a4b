import type { RequestedBy } from './account-link.ts';
import type { AuditActor, RequestOrigin } from './audit-context.ts';
import { shownNetwork } from './network.ts';
import { browserOf } from './user-agent.ts';

/**
 * Returns the part of a request's origin that a mail may show: the network without the part that identifies a household, and our own name for the
 * browser. The User-Agent header itself is caller-controlled text and must never appear in a mail.
 */
export function shownOrigin({ ip, userAgent }: Pick<RequestOrigin, 'ip' | 'userAgent'>): {
  network: string | null;
  browser: string | null;
} {
  return { network: shownNetwork(ip ?? ''), browser: browserOf(userAgent ?? '') ?? null };
}

/** The requester of a mail for an account: the account's user, an admin, or a caller who isn't logged in. */
export function requesterOf(actor: AuditActor | null, userId: string): RequestedBy {
  if (actor === null) return 'anyone';
  return actor.kind === 'user' && actor.id === userId ? 'account_holder' : 'admin';
}
