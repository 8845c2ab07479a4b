import type { Role, schemas } from '@taskwire/contracts';
import type { z } from 'zod';
import type { AccessPeriod } from './access-period.ts';
import type { TokenPurpose } from './account-links.ts';
import type { Occasion, Origin } from './audit.ts';

/** A user as the API shows it. */
export type User = z.output<typeof schemas.user>;

/** A user as a list shows it: a deleted one with the time until which they can be restored. */
export type ListedUser = z.output<typeof schemas.listedUser>;

/** A user as services see it, deleted ones included. */
export type InternalUser = z.output<typeof schemas.internalUser>;

/** A user as Auth knows them. */
export type StoredUser = InternalUser & {
  /** The address that is to replace `email` once it is confirmed. */
  pending_email: string | null;
};

export type NewUser = {
  email: string;
  name: string;
  role: Role;
  emailVerified: boolean;
  passwordHash: string;
  /** The open invitation to this address that is used up by it. */
  invitationId?: string;
};

/** Who a person turned out to be. */
export type Authentication = AccessPeriod & {
  /** Seconds since 1970, by the database's clock: never before `tokensValidAfter`. */
  at: number;
};

/** What a log-in needs to know of an account. */
export type Credentials = Authentication & { passwordHash: string };

/** Why a change ends the access that was given before, and the account's access period with it. */
type AccessEnd =
  'user_demoted' | 'user_deleted' | 'password_changed' | 'password_reset' | 'logged_out_everywhere' | 'email_undone';

/** A change of a user: the fields that become different. Another password and a deletion always end access. */
export type UserChange = {
  /** Another spelling of the address, or another address that was confirmed by a link mailed to it. */
  email?: string;
  /** Another address, which is mailed a link to confirm it; null cancels the change that is pending. */
  pendingEmail?: string | null;
  name?: string;
  role?: Role;
  /** By a link that was mailed to it. */
  emailVerified?: true;
} & (
  | { endsSessions?: AccessEnd; passwordHash?: undefined; deleted?: undefined; restored?: undefined }
  | { endsSessions: AccessEnd; passwordHash?: string; deleted?: true; restored?: undefined }
  /** Takes the deletion of a user back, which has ended their access. */
  | { restored: true; passwordHash: string; endsSessions?: undefined; deleted?: undefined }
);

/** Decides on a locked user. A throw undoes everything; no change leaves the user as it is, with its version. */
export type DecideChange = (
  user: StoredUser,
  /** Whether there is an admin beside this user; once asked, no other admin can go until this change is done. */
  isThereAnotherAdmin: () => Promise<boolean>,
) => Promise<UserChange | undefined>;

/** Where users are kept. Each write, its event and its entry in the audit log become true together, or not at all. */
export type Users = {
  /**
   * The new user, or `email_taken`; of several at once with one address, one wins. `invitation_ended`: the invitation was used, revoked or has
   * expired meanwhile.
   */
  create(
    user: NewUser,
    by: Occasion & { action: 'register' | 'user.create' },
  ): Promise<User | 'email_taken' | 'invitation_ended'>;
  /** The user, a deleted one too; undefined for one that never was. */
  find(id: string): Promise<StoredUser | undefined>;
  /** Whether an account other than `forUser` has the address, or gave it up and may still take it back. */
  emailTakenBy(email: string, forUser?: string): Promise<'account' | 'reservation' | undefined>;
  findCredentials(email: string): Promise<Credentials | undefined>;
  /** Puts a stronger hash of the same password in the place of `before`, if it still stands. It is no change of the user. */
  strengthenPasswordHash(id: string, before: string, after: string): Promise<void>;
  /** Changes a user under a lock; undefined when there never was one. */
  change(id: string, by: Occasion, decide: DecideChange): Promise<StoredUser | 'email_taken' | undefined>;
  /** Sets another password, and ends access; undefined, and nothing done, when `before` is not the hash of the present one. */
  changePassword(id: string, hashes: { before: string; after: string }, by: Occasion): Promise<StoredUser | undefined>;
  /**
   * Takes back a deletion, with this password in the place of the old one; a user who is not deleted stays as they are. `too_late`: the time for it is
   * over. `email_taken`: another user has the address, or may take it back. Undefined when there never was one.
   */
  restore(id: string, passwordHash: string, by: Occasion): Promise<StoredUser | 'too_late' | 'email_taken' | undefined>;
  /** The user who was deleted last with this address, if they can be restored. */
  findRestorable(email: string): Promise<StoredUser | undefined>;
  list(filter: UserFilter): Promise<ListedUser[]>;
  listChanged(filter: ChangedFilter): Promise<InternalUser[]>;
};

/** Since is inclusive, until is not. */
export type UserFilter = {
  role?: Role | undefined;
  /** Part of a name or an address, whatever its case. */
  text?: string | undefined;
  emailVerified?: boolean | undefined;
  createdSince?: string | undefined;
  createdUntil?: string | undefined;
  updatedSince?: string | undefined;
  updatedUntil?: string | undefined;
  /** The deleted whose name and address are still known, instead of the others. */
  isDeleted: boolean;
  order: 'oldest_first' | 'latest_first';
  /** The id that the page before ended with. */
  after: string | undefined;
  limit: number;
};

/** By time of change, from `since` on (inclusive) or after a position. */
export type ChangedFilter = {
  since: string | undefined;
  after: { updatedAt: string; id: string } | undefined;
  limit: number;
};

/** A session that was opened or continued: what its tokens say. */
export type SessionGrant = {
  user: User;
  sessionId: string;
  /** Seconds since 1970, by the database's clock: never before the user's `tokens_valid_after`. */
  issuedAt: number;
  /** When the person last proved who they are, in seconds since 1970. */
  authenticatedAt: number;
};

/** What tokens say of a user. */
export type Subject = { user: User; issuedAt: number };

/** Where sessions and the hashes of their refresh tokens are kept. What begins, goes on or ends is in the audit log with it. */
export type Sessions = {
  /** Opens a session; undefined when access of the user has ended since `tokensValidAfter` was read. */
  open(session: {
    userId: string;
    tokensValidAfter: string | null;
    refreshTokenHash: Buffer;
    origin: Origin;
  }): Promise<SessionGrant | undefined>;
  /**
   * Replaces a refresh token by its one successor. Within the grace, and while the successor is unused, the token may come again
   * for the same successor; any other further use ends the session (`reused`). `unknown`: there is no such token, or it or its
   * session has ended.
   */
  rotate(tokens: { used: Buffer; next: Buffer }, origin: Origin): Promise<SessionGrant | 'reused' | 'unknown'>;
  /**
   * Notes that the person of a session proved again who they are, and gives it a new refresh token, the only one that works from then on.
   * Undefined when the session or the access of the user has ended since `tokensValidAfter` was read.
   */
  reauthenticate(session: {
    sessionId: string;
    userId: string;
    tokensValidAfter: string | null;
    refreshTokenHash: Buffer;
    origin: Origin;
  }): Promise<SessionGrant | undefined>;
  end(sessionId: string, by: Occasion): Promise<void>;
  /** The user whose tokens are about to be made; undefined for a deleted one. */
  subject(userId: string): Promise<Subject | undefined>;
  /** The user's role now, and whether their address is verified, or that the access of a token with these claims has ended. */
  checkAccess(claims: {
    userId: string;
    sessionId: string | undefined;
    issuedAt: Date;
  }): Promise<{ role: Role; emailVerified: boolean } | 'revoked'>;
};

/** For whom a password is hashed, which decides the order when many wait. */
export type HashTurn = {
  /** Whether the account knows the caller's device or network, or they have proven who they are: strangers do not hold them up. */
  isKnown: boolean;
  /** Who takes turns with the others: the account of known callers, the network of strangers. */
  source: string;
};

/** Hashes and judges passwords, at a bounded pace. @throws Problem `unavailable` when too many wait. */
export type Passwords = {
  /** Why a password is too easy to guess for this person, with what to do about it; undefined for one that is good enough. */
  weaknessOf(password: string, person: { email: string; name: string }): string | undefined;
  /** Waits for its turn by itself: not to be called within `inTurn`. */
  hash(password: string, turn: HashTurn): Promise<string>;
  /** Runs what leads to `verify`, and that, when it is the caller's turn. */
  inTurn<T>(turn: HashTurn, work: () => Promise<T>): Promise<T>;
  /**
   * Whether the password is the one of the hash. Without a hash the answer is no, after the same work, so that the time does not
   * tell whether there is an account. `outdated`: the hash was made with other parameters than today's.
   */
  verify(password: string, hash: string | undefined): Promise<{ matches: boolean; outdated: boolean }>;
};

/** What an access token is to say. */
export type AccessGrant = {
  subject: string;
  clientId: string;
  audience: readonly string[];
  /** Seconds since 1970. */
  issuedAt: number;
  /** When the person last proved who they are, in seconds since 1970. */
  authenticatedAt: number;
  role: Role;
  emailVerified: boolean;
  sessionId: string;
};

/** Makes the access tokens of the JSON API. Those of the provider are made by it, with the same keys and claims. */
export type TokenIssuer = {
  issue(grant: AccessGrant): Promise<{ accessToken: string; expiresIn: number }>;
};

/** A count of attempts against a limit. */
export type Attempt = {
  /** It was not an attack: it does not count. */
  forgive(): Promise<void>;
};

/** Who tries to log in, as far as the account knows the device or the network that they come from. */
export type Visitor = {
  /** The address of the account as it was typed. */
  email: string;
  ip: string;
  /** Whether somebody logged in with this device in the account's present access period. */
  isKnownDevice: boolean;
  /** The same of the network. */
  isKnownNetwork: boolean;
  turn: HashTurn;
};

/** How often something may be tried. @throws Problem `rate_limited` with Retry-After. */
export type Limits = {
  /**
   * Finds the account by `find`, when it is the caller's turn, and tells what it knows of the caller. Without an account nothing is known, after
   * the same work. @throws Problem `unavailable` when too many wait.
   */
  recognize<A extends AccessPeriod>(
    origin: Origin,
    email: string,
    find: () => Promise<A | undefined>,
  ): Promise<{ account: A | undefined; visitor: Visitor }>;
  login(visitor: Visitor): Promise<Attempt>;
  /** Makes the caller's network a known one of the account, which guesses of others do not slow down until the period ends. */
  trust(origin: Origin, period: AccessPeriod): Promise<void>;
  /** Returns the turn in which the password of the new account is hashed. */
  register(ip: string): Promise<HashTurn>;
  /** Counts a mail that somebody causes, whatever the cause and whoever gets it, for their network and for who they are logged in as. */
  causeMail(by: Occasion): Promise<void>;
  /** Counts a change of the user's name, by the user or by an admin. */
  rename(by: Occasion, userId: string): Promise<void>;
  /** Whether an address may be mailed: false when it was asked for too often. @throws Problem for a network that asks too much. */
  mail(ip: string, email: string, purpose: TokenPurpose): Promise<boolean>;
  /** Counts an invitation of this user. */
  invite(userId: string): Promise<void>;
  /** Whether the address of this user may be asked to change again: each request is a mail to the present address too. */
  changeEmail(userId: string): Promise<boolean>;
  /** Whether a link that was used may be tried once more. */
  repeatLink(linkId: string): Promise<boolean>;
};
