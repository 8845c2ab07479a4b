import type { MailKind } from './notification-types.ts';

/** A mail that is about to be sent. */
export type MailToCount = {
  deliveryId: string;
  /** The account to which the mail relates; null for an invitation. */
  userId: string | null;
  address: string;
  kind: MailKind;
  /** Whether the account's address is verified. */
  isVerified: boolean;
  /** The user who caused the mail; null for the system itself, and for callers whom Auth rate-limits. */
  callerId: string | null;
};

/** `whose`: the budget that is used up. */
export type Counted = { kind: 'within' } | { kind: 'over'; whose: 'recipient' | 'caller'; limit: number };

/** The maximum numbers of mails within a time window, regardless of their cause. */
export type MailBudgetSettings = {
  /** The maximum number to one mailbox, for each kind. Verified and unverified addresses count separately. */
  perRecipient: Readonly<Record<MailKind, number>>;
  /** By one user, to all recipients together. */
  perCaller: number;
  windowMs: number;
};

/**
 * Counts mails against the budgets of their recipients and callers. A mail that was allowed once stays allowed on every retry; a mail that is skipped
 * before its handoff is deducted again. Counts are exact across all replicas and survive restarts.
 */
export type MailBudget = { count(mail: MailToCount): Promise<Counted> };

/**
 * Normalises an address to its mailbox. Ignores case and anything after a plus sign (RFC 5233), since most servers deliver those variants to the same
 * person. Keeps dots: only some providers ignore them, and with other providers they distinguish two people.
 */
export function mailboxOf(address: string): string {
  const at = address.lastIndexOf('@');
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
  const plus = local.indexOf('+');
  return `${plus > 0 ? local.slice(0, plus) : local}@${domain}`.toLowerCase();
}

/** The kinds of mails that warn about account changes. They are sent to an address that the account has, or had until the change. */
export const warnings: readonly MailKind[] = ['security', 'undo'];

/**
 * The key under which a mail is counted. Kinds count separately, so that task mails can't block account mails, and links that anyone can request
 * can't block warnings. Unverified addresses count separately, so that registering a variant of another user's address doesn't use up that user's
 * budget. Warnings count per account, because an attacker may use a different account to cause warnings to the same mailbox.
 */
export function recipientKey({ userId, address, kind, isVerified }: MailToCount): string {
  if (!isVerified) return `${kind} unverified ${mailboxOf(address)}`;
  return warnings.includes(kind) ? `${kind} verified ${userId}` : `${kind} verified ${mailboxOf(address)}`;
}
