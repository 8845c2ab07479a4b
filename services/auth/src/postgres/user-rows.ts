import { isoMicros } from '@taskwire/postgres';

/** The columns of a `User`, for the table or alias `users`. */
export const userColumns = `
  users.id, users.email, users.name, users.role, users.email_verified, users.version,
  ${isoMicros('users.created_at')} AS created_at, ${isoMicros('users.updated_at')} AS updated_at`;

/** The columns of an `InternalUser`. */
export const internalUserColumns = `${userColumns},
  users.deleted_at IS NOT NULL AS is_deleted, ${isoMicros('users.tokens_valid_after')} AS tokens_valid_after`;

/** The columns of a `StoredUser`. */
export const storedUserColumns = `${internalUserColumns}, users.pending_email`;

/** The time until which a deleted user can be restored; `days` is a parameter or a number. */
export function restorableUntil(days: string): string {
  return `(users.deleted_at + make_interval(days => ${days}))`;
}

/** The expression with which addresses are compared; it must match the index users_email_key. Compare it with the result of `foldEmail`. */
export const foldedEmail = 'lower(users.email COLLATE "C")';

/**
 * The current time in whole seconds, as used in a JWT, but never before tokens_valid_after: if it were rounded down, a token issued right after that
 * time would look older. (The result may be up to a second in the future; verifiers tolerate such clock differences.)
 */
export const secondsNow = `
  greatest(
    floor(extract(epoch FROM clock_timestamp())),
    ceil(extract(epoch FROM users.tokens_valid_after))
  )::float8`;
