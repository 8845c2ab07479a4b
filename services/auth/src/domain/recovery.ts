import { isSameAddress } from './email-address.ts';
import { isDemotion, roles, type Role } from './role.ts';

/** A user as stored in another service's directory, after Auth's database was restored to an earlier time. */
export type UserCopy = {
  service: string;
  /** The epoch of the state, and its version in that epoch. */
  source_epoch: number;
  version: number;
  /** Null in a tombstone of a user whom the service never knew, or whose personal data was erased. */
  role: string | null;
  email: string | null;
  name: string | null;
  is_deleted: boolean;
  /** The version of the deletion; null if the deletion is known only from a 410 of Auth, which has no version. */
  deletion_version: number | null;
  /** When Auth returned 410 for the user. */
  gone_at: string | null;
  /** Whether an event claims a deletion that Auth has not confirmed. */
  is_deletion_claimed: boolean;
  /** The newest event about the user, and its epoch. */
  event_at: string | null;
  event_epoch: number;
};

/** A user in the restored Auth. */
type RestoredUser = { email: string; role: Role; version: number; updated_at: string; is_deleted: boolean };

/**
 * The effect of the lost changes on one user. It can only revoke rights, never grant them.
 * - end_access: no change is known to be lost; sessions end, as for every user
 * - lock: a change was lost, which may have been a new password; the role becomes the lowest one in any copy. A link for setting a new password is
 *   mailed, unless the user has left the stored address, whose mailbox may now belong to another person
 * - delete: the user was deleted
 */
export type Recovery = { reason: string } & (
  { kind: 'none' | 'end_access' | 'delete' } | { kind: 'lock'; role: Role | undefined; lostEmail: string | undefined }
);

/** The tolerated difference between the clocks of two databases, in milliseconds; the same as for tokens. */
const clockToleranceMs = 5_000;

/** Decides about a user of the restored Auth. `epoch` is the epoch under which the copies know this database. */
export function recoveryOf(user: RestoredUser, copies: readonly UserCopy[], epoch: number): Recovery {
  if (user.is_deleted) return { kind: 'none', reason: 'deleted' };
  const deleting = copies.find((copy) => isLaterDeletion(copy, user, epoch));
  if (deleting !== undefined) return { kind: 'delete', reason: `deleted in ${deleting.service}` };
  const newer = copies.filter((copy) => isNewer(copy, user, epoch));
  const least = leastRole(newer);
  const reason = `newer in ${newer.map(({ service }) => service).join(', ')}`;
  const lostEmail = newer.find(({ email }) => email !== null && !isSameAddress(email, user.email))?.email ?? undefined;
  if (least !== undefined && isDemotion(user.role, least))
    return { kind: 'lock', role: least, lostEmail, reason: `${user.role} to ${least}, ${reason}` };
  if (newer.length > 0) return { kind: 'lock', role: undefined, lostEmail, reason };
  return { kind: 'end_access', reason: 'unchanged' };
}

/** Whether a copy has a deletion that is later than the restored state. */
function isLaterDeletion(copy: UserCopy, user: RestoredUser, epoch: number): boolean {
  if (copy.is_deletion_claimed) return isLaterEvent(copy, user, epoch);
  if (!copy.is_deleted) return false;
  if (copy.deletion_version !== null) return isLaterVersion(copy, user, epoch);
  return copy.gone_at === null || Date.parse(copy.gone_at) + clockToleranceMs > Date.parse(user.updated_at);
}

function isNewer(copy: UserCopy, user: RestoredUser, epoch: number): boolean {
  return !copy.is_deleted && (isLaterVersion(copy, user, epoch) || isLaterEvent(copy, user, epoch));
}

function isLaterVersion(copy: UserCopy, { version }: RestoredUser, epoch: number): boolean {
  return copy.source_epoch === epoch ? copy.version > version : copy.source_epoch > epoch;
}

/** Both times are from Auth, with microseconds and in the same format, so they can be compared as text. */
function isLaterEvent({ event_at: at, event_epoch: of }: UserCopy, user: RestoredUser, epoch: number): boolean {
  if (at === null) return false;
  return of === epoch ? at > user.updated_at : of > epoch;
}

function leastRole(copies: readonly UserCopy[]): Role | undefined {
  const known = copies.flatMap(({ role }) => roles.filter((one) => one === role));
  return known.toSorted((a, b) => roles.indexOf(b) - roles.indexOf(a))[0];
}

/** The newest copy that can identify a user unknown to Auth: one created after the time to which Auth was restored, and not deleted. */
export function lostUser(copies: readonly UserCopy[]): { email: string; name: string } | undefined {
  if (copies.some((copy) => copy.is_deleted || copy.is_deletion_claimed)) return undefined;
  const known = copies.flatMap(({ email, name, version }) =>
    email === null || email === '' || name === null ? [] : [{ email, name, version }],
  );
  const newest = known.toSorted((a, b) => b.version - a.version)[0];
  return newest && { email: newest.email, name: newest.name };
}
