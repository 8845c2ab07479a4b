import type { schemas, Role } from '@taskwire/contracts';
import type { z } from 'zod';

/** A user as the API shows it. */
export type User = z.output<typeof schemas.user>;

/** A user as services see it, deleted ones included. */
export type InternalUser = z.output<typeof schemas.internalUser>;

export type NewUser = {
  email: string;
  name: string;
  role: Role;
  emailVerified: boolean;
  passwordHash: string;
};

/** What a log-in needs to know of an account. */
export type Credentials = {
  userId: string;
  passwordHash: string;
  emailVerified: boolean;
  tokensValidAfter: string | null;
};

/** A change of a user: the fields that become different, and whether it ends the access that was given before. */
export type UserChange = {
  email?: string;
  name?: string;
  role?: Role;
  deleted?: true;
  endsSessions?: 'user_demoted' | 'user_deleted';
};

/** Decides on a locked user. A throw undoes everything; no change leaves the user as it is, with its version. */
export type DecideChange = (
  user: InternalUser,
  /** Whether there is an admin beside this user; once asked, no other admin can go until this change is done. */
  isThereAnotherAdmin: () => Promise<boolean>,
) => Promise<UserChange | undefined>;

/** Where users are kept. Each write and its event become true together, or not at all. */
export type Users = {
  /** The new user, or `email_taken`; of several at once with one address, one wins. */
  create(user: NewUser): Promise<User | 'email_taken'>;
  /** The user, a deleted one too; undefined for one that never was. */
  find(id: string): Promise<InternalUser | undefined>;
  isEmailTaken(email: string): Promise<boolean>;
  findCredentials(email: string): Promise<Credentials | undefined>;
  /** Puts a stronger hash of the same password in the place of `before`, if it still stands. It is no change of the user. */
  strengthenPasswordHash(id: string, before: string, after: string): Promise<void>;
  /** Changes a user under a lock; undefined when there never was one. */
  change(id: string, decide: DecideChange): Promise<InternalUser | 'email_taken' | undefined>;
  list(filter: UserFilter): Promise<User[]>;
  listChanged(filter: ChangedFilter): Promise<InternalUser[]>;
};

/** Oldest first. `after` is the id that the page before ended with; `text` is part of a name or an address. */
export type UserFilter = {
  role: Role | undefined;
  text: string | undefined;
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
};

/** Where sessions and the hashes of their refresh tokens are kept. */
export type Sessions = {
  /** Opens a session; undefined when access of the user has ended since `tokensValidAfter` was read. */
  open(session: {
    userId: string;
    tokensValidAfter: string | null;
    refreshTokenHash: Buffer;
  }): Promise<SessionGrant | undefined>;
  /**
   * Replaces a refresh token by its successor. Of several uses of one token, however close, one gets the grant; any
   * further use ends the session (`reused`). `unknown`: there is no such token, or it or its session has ended.
   */
  rotate(tokens: { used: Buffer; next: Buffer }): Promise<SessionGrant | 'reused' | 'unknown'>;
  end(sessionId: string): Promise<void>;
  /** The user's role now, or that the access of a token with these claims has ended. */
  checkAccess(claims: {
    userId: string;
    sessionId: string | undefined;
    issuedAt: Date;
  }): Promise<{ role: Role } | 'revoked'>;
};

/** Hashes passwords at a bounded pace. @throws Problem `unavailable` when too many wait. */
export type Passwords = {
  hash(password: string): Promise<string>;
  /**
   * Whether the password is the one of the hash. Without a hash the answer is no, after the same work, so that the time does not
   * tell whether there is an account. `outdated`: the hash was made with other parameters than today's.
   */
  verify(password: string, hash: string | undefined): Promise<{ matches: boolean; outdated: boolean }>;
};

/** What an access token is to say. A service's subject is its client id (RFC 9068 section 2.2). */
export type AccessGrant = {
  subject: string;
  clientId: string;
  audience: string | readonly string[];
  scope: string;
  /** Seconds since 1970. */
  issuedAt: number;
  /** Of a user only. */
  session?: { role: Role; sessionId: string };
};

/** Makes access tokens, for users and services alike. */
export type TokenIssuer = {
  issue(grant: AccessGrant): Promise<{ accessToken: string; expiresIn: number }>;
};

/** A count of attempts against a limit. */
export type Attempt = {
  /** It was not an attack: it does not count. */
  forgive(): Promise<void>;
};

/** How often something may be tried. @throws Problem `rate_limited` with Retry-After. */
export type Limits = {
  login(ip: string, email: string): Promise<Attempt>;
  register(ip: string): Promise<void>;
};

/** A service that may ask for tokens of its own. */
export type ServiceClient = {
  clientId: string;
  grants: readonly { audience: string; scopes: readonly string[] }[];
};

/** The services that are known. `authenticate` takes the same time for a wrong id and a wrong secret. */
export type ServiceClients = {
  authenticate(clientId: string, clientSecret: string): ServiceClient | undefined;
};

/** The public part of a key, as the JWKS shows it (RFC 7517). */
export type PublicJwk = { kid: string; kty: string; use: 'sig'; alg: 'ES256'; crv: string; x: string; y: string };

/** A signing key as it is stored. */
export type SealedKey = { kid: string; publicJwk: PublicJwk; sealedPrivateKey: Buffer; isActive: boolean };

/** Where signing keys are stored, for all replicas. */
export type SealedKeys = {
  all(): Promise<SealedKey[]>;
  /** Adds the first key; does nothing when another replica was faster. */
  addFirst(key: Omit<SealedKey, 'isActive'>): Promise<void>;
};
