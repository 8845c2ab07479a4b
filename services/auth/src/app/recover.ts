import { createHash, randomBytes } from 'node:crypto';
import type { StoredEpoch } from '@taskwire/postgres';
import { commandLineContext, type AuditContext } from '../domain/audit-context.ts';
import { lostUser, recoveryOf, type Recovery, type UserCopy } from '../domain/recovery.ts';
import type { StoredClients } from './ports/clients.ts';
import type { StoredUser } from './ports/users.ts';

/** A user's copies, by service. */
export type Copies = ReadonlyMap<string, readonly UserCopy[]>;

/** Each step skips work that has already been done since the epoch was raised, so that an interrupted recovery can be repeated. */
export type RecoveryStore = {
  epoch(): Promise<StoredEpoch>;
  /** Raises the epoch above the epochs of all copies. */
  raiseAbove(floor: number): Promise<StoredEpoch>;
  /** The ids of all users, in batches. */
  userIds(): AsyncIterable<string[]>;
  /** Applies a decision to a user; returns undefined if it has already been applied. */
  recover(
    id: string,
    since: string,
    decide: (user: StoredUser) => Recovery,
    context: AuditContext,
  ): Promise<{ recovery: Recovery; user: StoredUser } | undefined>;
  /** Creates a lost user as a member without a usable password. */
  create(id: string, user: { email: string; name: string }, context: AuditContext): Promise<'created' | 'email_taken'>;
  /** Ends browser log-ins and everything that clients hold, and revokes links and invitations, if they were created before this time. */
  endEverything(since: string, context: AuditContext): Promise<{ logins: number; links: number; invitations: number }>;
  /** Whether the client's secret has been rotated since that time. */
  isSecretRotated(clientId: string, since: string): Promise<boolean>;
  /** Replaces all signing keys with a new one that signs at once; returns false if this has been done since that time. */
  replaceKeys(since: string, context: AuditContext): Promise<boolean>;
  publish(): Promise<void>;
};

type Parts = {
  store: RecoveryStore;
  clients: Pick<StoredClients, 'list' | 'setSecret'>;
  /** Shows the operator a line at once, so that a new secret is shown before it takes effect. */
  write: (line: string) => void;
};

/**
 * Makes a restored Auth safe to start: rights that were revoked after the time to which its database was restored are revoked again, as far as the
 * copies of other services show them. All earlier access ends. Only then do other services get the new epoch, which takes precedence over their
 * copies.
 */
export async function recover({ store, clients, write }: Parts, copies: Copies): Promise<'done' | 'not needed'> {
  let stored = await store.epoch();
  if (stored.consistent === stored.epoch) return 'not needed';
  const known = Math.max(0, ...[...copies.values()].flat().map(({ source_epoch: epoch }) => epoch));
  // true after a second restore of a backup that has no history of timelines
  if (known >= stored.epoch) stored = await store.raiseAbove(known);
  const { consistent, raisedAt } = stored;
  const seen = await recoverKnown({ store, write }, copies, stored);
  await createLost({ store, write }, copies, seen);
  const ended = await store.endEverything(raisedAt, commandLineContext);
  write(`ended ${ended.logins} browser log-ins; revoked ${ended.links} links and ${ended.invitations} invitations`);
  if (await store.replaceKeys(raisedAt, commandLineContext)) write('replaced the signing keys');
  await rotateSecrets({ store, clients, write }, raisedAt);
  await store.publish();
  write(`published epoch ${stored.epoch} (it was ${consistent}); start Auth now`);
  return 'done';
}

async function recoverKnown(
  { store, write }: Pick<Parts, 'store' | 'write'>,
  copies: Copies,
  { consistent, raisedAt }: StoredEpoch,
): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  const counts: Record<Recovery['kind'], number> = { none: 0, end_access: 0, lock: 0, delete: 0 };
  for await (const ids of store.userIds()) {
    for (const id of ids) {
      seen.add(id);
      const own = copies.get(id) ?? [];
      const decide = (user: StoredUser) => recoveryOf(user, own, consistent);
      const done = await store.recover(id, raisedAt, decide, commandLineContext);
      if (done === undefined) continue;
      const { recovery, user } = done;
      counts[recovery.kind] += 1;
      if (recovery.kind === 'delete' || recovery.kind === 'lock') write(lineOf(recovery, user));
    }
  }
  write(`ended the access of ${counts.end_access + counts.lock} users`);
  return seen;
}

function lineOf(recovery: Recovery, { id, email }: StoredUser): string {
  if (recovery.kind !== 'lock') return `deleted  ${id}  ${email}  (${recovery.reason})`;
  const { lostEmail, reason } = recovery;
  const hint =
    lostEmail === undefined
      ? ''
      : `; no link was mailed, because the lost address was ${lostEmail}: change it as an admin`;
  return `locked   ${id}  ${email}  (${reason})${hint}`;
}

async function createLost(
  { store, write }: Pick<Parts, 'store' | 'write'>,
  copies: Copies,
  seen: ReadonlySet<string>,
): Promise<void> {
  for (const [id, own] of copies) {
    const user = seen.has(id) ? undefined : lostUser(own);
    if (user === undefined) continue;
    const created = await store.create(id, user, commandLineContext);
    write(
      created === 'created'
        ? `created  ${id}  ${user.email}  (unknown here, known to ${own.map(({ service }) => service).join(', ')}; a member with a new password)`
        : `skipped  ${id}  ${user.email}  (unknown here; another account has the address)`,
    );
  }
}

/** Rotates the secrets of clients, because a secret that was replaced in the lost period would otherwise be valid again. */
async function rotateSecrets({ store, clients, write }: Parts, since: string): Promise<void> {
  for (const { client_id: id, secret_hash: hash } of await clients.list()) {
    if (hash === undefined) {
      write(`client   ${id} has no secret; remove it if it was removed after the time of the backup`);
      continue;
    }
    if (await store.isSecretRotated(id, since)) continue;
    const secret = randomBytes(32).toString('base64url');
    write(`client   ${id} has the new secret ${secret}`);
    await clients.setSecret(id, createHash('sha256').update(secret).digest('base64url'), commandLineContext);
  }
}
