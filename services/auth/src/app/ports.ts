import type { Role, schemas } from '@taskwire/contracts';
import type { z } from 'zod';
import type { AccessPeriod } from './access-period.ts';
import type { TokenPurpose } from './account-links.ts';
import type { Occasion, Origin } from './audit.ts';

/** A user as the API shows it. */
export type User = z.output<typeof schemas.user>;

/** A user as a list shows it; for a deleted user, with the time until which they can be restored. */
export type ListedUser = z.output<typeof schemas.listedUser>;

/** A user as services see it, including deleted users. */
export type InternalUser = z.output<typeof schemas.internalUser>;

/** A user as Auth stores it. */
export type StoredUser = InternalUser & {
  /** The address that will replace `email` once it is confirmed. */
  pending_email: string | null;
};

export type NewUser = {
  email: string;
  name: string;
  role: Role;
  emailVerified: boolean;
  passwordHash: string;
  /** The open invitation to this address that the new user consumes. */
  invitationId?: string;
};

/** The result of authenticating a user. */
export type Authentication = AccessPeriod & {
  /** Seconds since 1970, by the database's clock; never before `tokensValidAfter`. */
  at: number;
};

/** The account data that a log-in needs. */
export type Credentials = Authentication & { passwordHash: string };

/** Why a change ends all earlier access, and with it the account's access period. */
type AccessEnd =
  'user_demoted' | 'user_deleted' | 'password_changed' | 'password_reset' | 'logged_out_everywhere' | 'email_undone';

/** A change of a user: the fields that change. A new password and a deletion always end access. */
export type UserChange = {
  /** Another spelling of the address, or another address that was confirmed by a link mailed to it. */
  email?: string;
  /** A new address, which is mailed a confirmation link; null cancels a pending change. */
  pendingEmail?: string | null;
  name?: string;
  role?: Role;
  /** By a link mailed to the address. */
  emailVerified?: true;
} & (
  | { endsSessions?: AccessEnd; passwordHash?: undefined; deleted?: undefined; restored?: undefined }
  | { endsSessions: AccessEnd; passwordHash?: string; deleted?: true; restored?: undefined }
  /** Reverses a user's deletion, which ended their access. */
  | { restored: true; passwordHash: string; endsSessions?: undefined; deleted?: undefined }
);

/** Decides on a change of a locked user. A throw rolls everything back; no change leaves the user and its version unchanged. */
export type DecideChange = (
  user: StoredUser,
  /** Whether an admin other than this user exists. Once called, no other admin can be removed until this change has ended. */
  isThereAnotherAdmin: () => Promise<boolean>,
) => Promise<UserChange | undefined>;

/** Storage of users. Each write, its event and its audit entry are committed together or not at all. */
export type Users = {
  /**
   * The new user, or `email_taken`; of several concurrent calls with one address, one wins. `invitation_ended`: the invitation has been used, revoked
   * or has expired in the meantime.
   */
  create(
    user: NewUser,
    by: Occasion & { action: 'register' | 'user.create' },
  ): Promise<User | 'email_taken' | 'invitation_ended'>;
  /** Returns the user, including a deleted one; undefined if the user never existed. */
  find(id: string): Promise<StoredUser | undefined>;
  /** Whether an account other than `forUser` has the address, or had it and may still take it back. */
  emailTakenBy(email: string, forUser?: string): Promise<'account' | 'reservation' | undefined>;
  findCredentials(email: string): Promise<Credentials | undefined>;
  /** Replaces the hash `before` with a stronger hash of the same password, if `before` is still current. It doesn't count as a change of the user. */
  strengthenPasswordHash(id: string, before: string, after: string): Promise<void>;
  /** Changes a user under a lock; undefined if the user never existed. */
  change(id: string, by: Occasion, decide: DecideChange): Promise<StoredUser | 'email_taken' | undefined>;
  /** Changes the password and ends access; undefined, without any change, if `before` is not the current hash. */
  changePassword(id: string, hashes: { before: string; after: string }, by: Occasion): Promise<StoredUser | undefined>;
  /**
   * Reverses a deletion, replacing the old password with this one. A user who isn't deleted is left unchanged. `too_late`: the restore period is
   * over. `email_taken`: another user has the address, or may take it back. Undefined if the user never existed.
   */
  restore(id: string, passwordHash: string, by: Occasion): Promise<StoredUser | 'too_late' | 'email_taken' | undefined>;
  /** The most recently deleted user with this address, if they can be restored. */
  findRestorable(email: string): Promise<StoredUser | undefined>;
  list(filter: UserFilter): Promise<ListedUser[]>;
  listChanged(filter: ChangedFilter): Promise<InternalUser[]>;
};

/** `since` is inclusive, `until` is exclusive. */
export type UserFilter = {
  role?: Role | undefined;
  /** Part of a name or an address, case-insensitive. */
  text?: string | undefined;
  emailVerified?: boolean | undefined;
  createdSince?: string | undefined;
  createdUntil?: string | undefined;
  updatedSince?: string | undefined;
  updatedUntil?: string | undefined;
  /** Selects deleted users whose name and address are still stored, instead of active ones. */
  isDeleted: boolean;
  order: 'oldest_first' | 'latest_first';
  /** The last id of the previous page. */
  after: string | undefined;
  limit: number;
};

/** By time of change, from `since` on (inclusive) or after a position. */
export type ChangedFilter = {
  since: string | undefined;
  after: { updatedAt: string; id: string } | undefined;
  limit: number;
};

/** A session that was opened or continued: the content of its tokens. */
export type SessionGrant = {
  user: User;
  sessionId: string;
  /** Seconds since 1970, by the database's clock; never before the user's `tokens_valid_after`. */
  issuedAt: number;
  /** When the user last authenticated, in seconds since 1970. */
  authenticatedAt: number;
};

/** The user data in tokens. */
export type Subject = { user: User; issuedAt: number };

/**
 * Storage of sessions and the hashes of their refresh tokens. Starting, continuing or ending a session and its audit entry are committed together.
 */
export type Sessions = {
  /** Opens a session; undefined if the user's access has ended since `tokensValidAfter` was read. */
  open(session: {
    userId: string;
    tokensValidAfter: string | null;
    refreshTokenHash: Buffer;
    origin: Origin;
  }): Promise<SessionGrant | undefined>;
  /**
   * Replaces a refresh token with its only successor. Within the grace period, and while the successor is unused, the token may be presented again
   * for the same successor; any other reuse ends the session (`reused`). `unknown`: the token does not exist, or it or its session has ended.
   */
  rotate(tokens: { used: Buffer; next: Buffer }, origin: Origin): Promise<SessionGrant | 'reused' | 'unknown'>;
  /**
   * Records that the session's user authenticated again, and replaces its refresh tokens with a new one, the only valid one from then on. Undefined
   * if the session or the user's access has ended since `tokensValidAfter` was read.
   */
  reauthenticate(session: {
    sessionId: string;
    userId: string;
    tokensValidAfter: string | null;
    refreshTokenHash: Buffer;
    origin: Origin;
  }): Promise<SessionGrant | undefined>;
  end(sessionId: string, by: Occasion): Promise<void>;
  /** The user for whom tokens are about to be issued; undefined for a deleted one. */
  subject(userId: string): Promise<Subject | undefined>;
  /** The user's current role and whether their address is verified, or that access for a token with these claims has ended. */
  checkAccess(claims: {
    userId: string;
    sessionId: string | undefined;
    issuedAt: Date;
  }): Promise<{ role: Role; emailVerified: boolean } | 'revoked'>;
};

/** The queue position of a hash: who it is for decides the order when many are waiting. */
export type HashTurn = {
  /** Whether the account knows the caller's device or network, or the caller has authenticated: unknown callers don't delay known ones. */
  isKnown: boolean;
  /** The key for fair queueing: the account of known callers, the network of unknown ones. */
  source: string;
};

/** Hashes and judges passwords at a bounded rate. @throws Problem `unavailable` if too many are waiting. */
export type Passwords = {
  /** Why a password is too easy to guess for this user, and how to improve it; undefined if it is strong enough. */
  weaknessOf(password: string, person: { email: string; name: string }): string | undefined;
  /** Waits for its turn by itself; must not be called within `inTurn`. */
  hash(password: string, turn: HashTurn): Promise<string>;
  /** Runs the work that leads to `verify`, and `verify` itself, when it is the caller's turn. */
  inTurn<T>(turn: HashTurn, work: () => Promise<T>): Promise<T>;
  /**
   * Whether the password matches the hash. Without a hash the result is false, after the same work, so that the time doesn't reveal whether an
   * account exists. `outdated`: the hash was made with parameters other than the current ones.
   */
  verify(password: string, hash: string | undefined): Promise<{ matches: boolean; outdated: boolean }>;
};

/** The content of an access token. */
export type AccessGrant = {
  subject: string;
  clientId: string;
  audience: readonly string[];
  /** Seconds since 1970. */
  issuedAt: number;
  /** When the user last authenticated, in seconds since 1970. */
  authenticatedAt: number;
  role: Role;
  emailVerified: boolean;
  sessionId: string;
};

/** Issues the access tokens of the JSON API. The provider issues its own, with the same keys and claims. */
export type TokenIssuer = {
  issue(grant: AccessGrant): Promise<{ accessToken: string; expiresIn: number }>;
};

/** An attempt counted against a limit. */
export type Attempt = {
  /** The attempt was not an attack: refunds it. */
  forgive(): Promise<void>;
};

/** A caller who tries to log in, and whether the account knows their device or network. */
export type Visitor = {
  /** The address of the account as typed. */
  email: string;
  ip: string;
  /** Whether the user logged in on this device in the account's current access period. */
  isKnownDevice: boolean;
  /** The same for the network. */
  isKnownNetwork: boolean;
  turn: HashTurn;
};

/** Limits on how often something may be attempted. @throws Problem `rate_limited` with Retry-After. */
export type Limits = {
  /**
   * Looks the account up with `find` when it is the caller's turn, and returns whether it knows the caller. Without an account nothing is known,
   * after the same work. @throws Problem `unavailable` if too many are waiting.
   */
  recognize<A extends AccessPeriod>(
    origin: Origin,
    email: string,
    find: () => Promise<A | undefined>,
  ): Promise<{ account: A | undefined; visitor: Visitor }>;
  login(visitor: Visitor): Promise<Attempt>;
  /** Makes the caller's network known to the account. Guesses by others don't slow it down until the access period ends. */
  trust(origin: Origin, period: AccessPeriod): Promise<void>;
  /** Returns the queue position for hashing the new account's password. */
  register(ip: string): Promise<HashTurn>;
  /** Counts a mail that a caller causes, whatever the cause and recipient, for their network and for the user they are logged in as. */
  causeMail(by: Occasion): Promise<void>;
  /** Counts a change of the user's name, by the user or by an admin. */
  rename(by: Occasion, userId: string): Promise<void>;
  /** Whether an address may be mailed: false if it was requested too often. @throws Problem for a network that requests too many. */
  mail(ip: string, email: string, purpose: TokenPurpose): Promise<boolean>;
  /** Counts an invitation by this user. */
  invite(userId: string): Promise<void>;
  /** Whether another address change may be requested for this user: each request also mails the current address. */
  changeEmail(userId: string): Promise<boolean>;
  /** Whether a used link may be tried once more. */
  repeatLink(linkId: string): Promise<boolean>;
};
