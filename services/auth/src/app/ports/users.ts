import type { Role, schemas } from '@taskwire/contracts';
import type { Page, Place } from '@taskwire/postgres';
import type { z } from 'zod';
import type { AccessPeriod } from '../../domain/access-period.ts';
import type { AuditContext } from '../../domain/audit-context.ts';
import type { UserChange } from '../../domain/user-change.ts';

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
  /** In seconds since 1970, by the database's clock; never before `tokensValidAfter`. */
  at: number;
};

/** The account data that a log-in needs. */
export type Credentials = Authentication & { passwordHash: string };

/** Decides on a change to a locked user. If it throws, everything is rolled back; if it returns no change, the user and its version stay the same. */
export type DecideChange = (
  user: StoredUser,
  /** Whether an admin other than this user exists. Once this has been called, no other admin can be removed until the change has ended. */
  isThereAnotherAdmin: () => Promise<boolean>,
) => Promise<UserChange | undefined>;

/** Storage of users. Each write, its event and its audit entry are committed together or not at all. */
export type Users = {
  /**
   * Returns the new user, or `email_taken`; of several concurrent calls with one address, only one succeeds. `invitation_ended`: the invitation has
   * been used, revoked or has expired in the meantime.
   */
  create(
    user: NewUser,
    context: AuditContext & { action: 'register' | 'user.create' },
  ): Promise<User | 'email_taken' | 'invitation_ended'>;
  /** Returns the user, including a deleted one; undefined if the user never existed. */
  find(id: string): Promise<StoredUser | undefined>;
  /** Whether an account other than `forUser` has the address, or used to have it and may still take it back. */
  emailTakenBy(email: string, forUser?: string): Promise<'account' | 'reservation' | undefined>;
  findCredentials(email: string): Promise<Credentials | undefined>;
  /**
   * Replaces the hash `before` with a stronger hash of the same password, if `before` is still current. This doesn't count as a change to the user.
   */
  rehashPassword(id: string, before: string, after: string): Promise<void>;
  /** Changes a user under a lock; undefined if the user never existed. */
  change(id: string, context: AuditContext, decide: DecideChange): Promise<StoredUser | 'email_taken' | undefined>;
  /** Changes the password and ends access; undefined, without any change, if `before` is not the current hash. */
  changePassword(
    id: string,
    hashes: { before: string; after: string },
    context: AuditContext,
  ): Promise<StoredUser | undefined>;
  /**
   * Reverses a deletion, replacing the old password with this one. A user who isn't deleted is left unchanged. `too_late`: the restore period has
   * ended. `email_taken`: another user has the address, or may take it back. Undefined if the user never existed.
   */
  restore(
    id: string,
    passwordHash: string,
    context: AuditContext,
  ): Promise<StoredUser | 'too_late' | 'email_taken' | undefined>;
  /** The most recently deleted user with this address, if they can be restored. */
  findRestorable(email: string): Promise<StoredUser | undefined>;
  list(filter: UserFilter, place: Place): Promise<Page<ListedUser>>;
  /** Lists users by time of change, including deleted users, from `since` on (inclusive) or after a position. */
  listChanged(filter: { since: string | undefined }, place: Place): Promise<Page<InternalUser>>;
};

/** `since` is inclusive, `until` is exclusive. */
export type UserFilter = {
  role?: Role | undefined;
  /** Part of a name or an address, compared case-insensitively. */
  text?: string | undefined;
  emailVerified?: boolean | undefined;
  createdSince?: string | undefined;
  createdUntil?: string | undefined;
  updatedSince?: string | undefined;
  updatedUntil?: string | undefined;
  /** Selects deleted users whose name and address are still stored, instead of active ones. */
  isDeleted: boolean;
  order: 'oldest_first' | 'latest_first';
};
