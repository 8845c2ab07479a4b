import type { MailKind } from './notification-types.ts';

/** A mail that is about to be sent. */
export type MailToCount = {
  deliveryId: string;
  /** The account that it is about; null for an invitation. */
  userId: string | null;
  address: string;
  kind: MailKind;
  /** Whether its account has shown that the address is its own. */
  isVerified: boolean;
  /** The user who caused it; null for the system itself, and for callers whom Auth counts. */
  callerId: string | null;
};

/** `recipient` and `caller`: whose budget is used up. */
export type Counted = { kind: 'within' } | { kind: 'over'; whose: 'recipient' | 'caller'; limit: number };

/** How many mails within a span of time, whatever their cause. */
export type MailBudgetSettings = {
  /** To one mailbox, of each kind, and of addresses that are verified and those that are not. */
  perRecipient: Readonly<Record<MailKind, number>>;
  /** By one user, to anybody. */
  perCaller: number;
  windowMs: number;
};

/**
 * Counts mails against the budgets of who gets them and who causes them. A mail that was let through stays so on every further try. Exact over all
 * replicas, and kept over restarts.
 */
export type MailBudget = { count(mail: MailToCount): Promise<Counted> };

/**
 * What of an address is one person's mailbox: case does not count, nor does what follows a plus (RFC 5233), which most servers deliver to the same
 * person. Dots stay: only some providers leave them out, and elsewhere they tell two people apart.
 */
export function mailboxOf(address: string): string {
  const at = address.lastIndexOf('@');
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
  const plus = local.indexOf('+');
  return `${plus > 0 ? local.slice(0, plus) : local}@${domain}`.toLowerCase();
}

/** Kinds of mails that warn of what happened to an account. They go to an address that the account has, or had until then. */
export const warnings: readonly MailKind[] = ['security', 'undo'];

/**
 * What a mail counts under. Kinds are apart, so that mails about tasks cannot keep away those about the account, and links that anybody can ask for cannot keep
 * away what the account has to be warned of. Addresses that nobody has verified are apart, so that whoever registers with a spelling of somebody else's
 * address takes nothing from them. Warnings count for their account, since another account can be made to cause some at the same mailbox.
 */
export function recipientKey({ userId, address, kind, isVerified }: MailToCount): string {
  if (!isVerified) return `${kind} unverified ${mailboxOf(address)}`;
  return warnings.includes(kind) ? `${kind} verified ${userId}` : `${kind} verified ${mailboxOf(address)}`;
}
