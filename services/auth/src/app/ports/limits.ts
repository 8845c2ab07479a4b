import type { AccessPeriod } from '../../domain/access-period.ts';
import type { TokenPurpose } from '../../domain/account-link.ts';
import type { AuditContext, RequestOrigin } from '../../domain/audit-context.ts';
import type { LoginCaller } from '../../domain/login-budget.ts';
import type { HashTurn } from './passwords.ts';

/** An attempt counted against a limit. */
export type Attempt = {
  /** Refunds the attempt, because it was not an attack. */
  refund(): Promise<void>;
};

/** A caller who tries to log in, with their place in the queue. */
export type Visitor = LoginCaller & { turn: HashTurn };

/** Limits on how often something may be attempted. @throws Problem `rate_limited` with Retry-After. */
export type Limits = {
  /**
   * When it is the caller's turn, looks up the account with `find`, and returns whether the account knows the caller. If the account does not exist,
   * the work is the same, and the caller is unknown. @throws Problem `unavailable` if too many are waiting.
   */
  recognize<A extends AccessPeriod>(
    origin: RequestOrigin,
    email: string,
    find: () => Promise<A | undefined>,
  ): Promise<{ account: A | undefined; visitor: Visitor }>;
  login(visitor: Visitor): Promise<Attempt>;
  /**
   * Makes the caller's network known to the account. Until the access period ends, other callers' guesses don't slow down log-ins from this network.
   */
  rememberNetwork(origin: RequestOrigin, period: AccessPeriod): Promise<void>;
  /** Returns the queue position for hashing the new account's password. */
  register(ip: string): Promise<HashTurn>;
  /** Counts a mail that a caller causes, whatever its kind and recipient, both for the caller's network and for the logged-in user. */
  causeMail(context: AuditContext): Promise<void>;
  /** Counts a change of the user's name, by the user or by an admin. */
  rename(context: AuditContext, userId: string): Promise<void>;
  /** Whether an address may be mailed: false if it was requested too often. @throws Problem for a network that requests too many. */
  mail(ip: string, email: string, purpose: TokenPurpose): Promise<boolean>;
  /** Counts an invitation by this user. */
  invite(userId: string): Promise<void>;
  /** Whether another address change may be requested for this user: each request also mails the current address. */
  changeEmail(userId: string): Promise<boolean>;
  /** Whether a used link may be tried once more. */
  repeatLink(linkId: string): Promise<boolean>;
};
