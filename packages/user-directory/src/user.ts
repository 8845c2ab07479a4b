import { instant, uuid } from '@taskwire/contracts';
import { z } from 'zod';

/**
 * A user as stored by this service. For a deleted user whose deletion was the first event received, only the id is known. `role` is text, because a
 * newer Auth may have roles unknown to this build; such a user still belongs in the directory.
 */
export type DirectoryUser = {
  id: string;
  version: number;
  /** Access tokens issued before this time are no longer valid. */
  tokensValidAfter: Date | null;
  /**
   * Whether the address is verified; null while unknown, because the row was written by a version that did not store this field. A reconciliation
   * fills it in within minutes.
   */
  emailVerified: boolean | null;
} & (
  | { isDeleted: false; email: string; name: string; role: string }
  | { isDeleted: true; email: string | null; name: string | null; role: string | null }
);

/** The part of Auth's internal user that the directory reads: a tolerant view of the contract, verified by Pact. */
export const userState = z.object({
  id: uuid,
  email: z.string(),
  // a version of Auth that does not send the field has not verified the address
  email_verified: z.boolean().default(false),
  name: z.string(),
  role: z.string(),
  version: z.int().positive(),
  updated_at: instant,
  is_deleted: z.boolean(),
  tokens_valid_after: instant.nullable(),
  // at most what its column holds
  source_epoch: z.int().min(1).max(2_147_483_647).default(1),
});

/** A user's state in Auth at one version of one epoch. */
export type UserState = z.output<typeof userState>;

/** The columns of directory_users that describe the user. */
export type UserRow = {
  id: string;
  email: string | null;
  email_verified: boolean | null;
  name: string | null;
  role: string | null;
  version: number;
  is_deleted: boolean;
  tokens_valid_after: Date | null;
  fetched_at: Date | null;
};

/** Returns the user in a row; `undefined` if only events have mentioned the user, whose state is not known yet. */
export function toUser(row: UserRow): DirectoryUser | undefined {
  const { id, version, email, name, role } = row;
  const known = { id, version, tokensValidAfter: row.tokens_valid_after, emailVerified: row.email_verified };
  if (row.is_deleted) return { ...known, isDeleted: true, email, name, role };
  if (row.fetched_at === null || email === null || name === null || role === null) return undefined;
  return { ...known, isDeleted: false, email, name, role };
}

/** Whether two states differ in a way that is relevant to services; a higher version alone (with the same values) does not count. */
export function differs(before: DirectoryUser | undefined, after: DirectoryUser): boolean {
  return (
    before === undefined ||
    before.isDeleted !== after.isDeleted ||
    before.email !== after.email ||
    before.name !== after.name ||
    before.role !== after.role ||
    (!after.isDeleted && before.emailVerified !== after.emailVerified) ||
    before.tokensValidAfter?.getTime() !== after.tokensValidAfter?.getTime()
  );
}
