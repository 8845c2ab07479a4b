import { isoMicros } from '@taskwire/postgres';

/** The columns of a `User`, of the table or alias `users`. */
export const userColumns = `
  users.id, users.email, users.name, users.role, users.email_verified, users.version,
  ${isoMicros('users.created_at')} AS created_at, ${isoMicros('users.updated_at')} AS updated_at`;

/** The columns of an `InternalUser`. */
export const internalUserColumns = `${userColumns},
  users.deleted_at IS NOT NULL AS is_deleted, ${isoMicros('users.tokens_valid_after')} AS tokens_valid_after`;

/** How addresses are compared; must be the expression of the index users_email_key. */
export const foldedEmail = 'lower(users.email COLLATE "C")';

/** What a folded column is compared with. */
export function foldEmail(email: string): string {
  return email.trim().toLowerCase();
}
