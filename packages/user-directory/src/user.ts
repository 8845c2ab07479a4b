import { instant, uuid } from '@taskwire/contracts';
import { z } from 'zod';

/**
 * A user as this service holds them. Of a deleted user whose deletion was the first thing heard, nothing but the id is known.
 * `role` is text, because a newer Auth may know roles that this build does not; such a user still belongs in the directory.
 */
export type DirectoryUser = {
  id: string;
  version: number;
  /** Access tokens that were issued before this are not valid any more. */
  tokensValidAfter: Date | null;
} & (
  | { isDeleted: false; email: string; emailVerified: boolean; name: string; role: string }
  | { isDeleted: true; email: string | null; emailVerified: boolean; name: string | null; role: string | null }
);

/** What the directory reads of Auth's internal user: its own, tolerant view of the contract, which Pact guards. */
export const userState = z.object({
  id: uuid,
  email: z.string(),
  // an Auth that does not say has not verified it
  email_verified: z.boolean().default(false),
  name: z.string(),
  role: z.string(),
  version: z.int().positive(),
  updated_at: instant,
  is_deleted: z.boolean(),
  tokens_valid_after: instant.nullable(),
});

/** A user's state in Auth at one version. */
export type UserState = z.output<typeof userState>;

/** A row of directory_users, as far as it is about the user. */
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

/** The user of a row; `undefined` for one that only an event told of, since nothing is known of them yet. */
export function toUser(row: UserRow): DirectoryUser | undefined {
  const { id, version, email, name, role } = row;
  const known = { id, version, tokensValidAfter: row.tokens_valid_after };
  if (row.is_deleted) return { ...known, isDeleted: true, email, emailVerified: row.email_verified ?? false, name, role };
  if (row.fetched_at === null || email === null || name === null || role === null) return undefined;
  // a row from before this was kept counts as not verified
  return { ...known, isDeleted: false, email, emailVerified: row.email_verified ?? false, name, role };
}

/** Whether anything differs that services act on; a higher version alone (an e-mail was verified) does not. */
export function differs(before: DirectoryUser | undefined, after: DirectoryUser): boolean {
  return (
    before === undefined ||
    before.isDeleted !== after.isDeleted ||
    before.email !== after.email ||
    before.name !== after.name ||
    before.role !== after.role ||
    before.tokensValidAfter?.getTime() !== after.tokensValidAfter?.getTime()
  );
}
