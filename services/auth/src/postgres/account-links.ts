import type { Database, Tx } from '@taskwire/postgres';
import { accessPeriodOf, type AccessPeriod } from '../domain/access-period.ts';
import type { AccountLink, LinkEnd } from '../domain/account-link.ts';
import type { AccountLinks } from '../app/account-links.ts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { StoredUser } from '../app/ports/users.ts';
import type { UserChange } from '../domain/user-change.ts';
import {
  findLink,
  openLink,
  consumeLink,
  consumeOpenLink,
  revokeLinks,
  type LinkLifetimes,
} from './account-link-rows.ts';
import { revokeUndoLinksAfter, isTakenAddress } from './undo-links.ts';
import { changeUserRow } from './user-changes.ts';

export type AccountLinksOptions = {
  db: Database;
  lifetimes: LinkLifetimes;
  /** The number of days within which a deletion can be reversed. */
  restoreDays: number;
};

/** The change that using a link makes to its user, and a follow-up after that change; both run in the transaction that consumes the link. */
type Use<T> = {
  change(tx: Tx, link: AccountLink): Promise<UserChange>;
  then(tx: Tx, link: AccountLink, after: StoredUser): Promise<T>;
};

export function createAccountLinks({ db, lifetimes, restoreDays }: AccountLinksOptions): AccountLinks {
  /** Consumes a link to change its user. The user's row is locked first, as everywhere. */
  async function use<T>(id: string, origin: RequestOrigin, { change, then }: Use<T>): Promise<LinkEnd | { done: T }> {
    const link = await findLink(db.pool, id);
    if (link === undefined) return 'unknown';
    const done = await db.transaction(async (tx) => {
      let isTaken = false;
      const after = await changeUserRow(tx, {
        ...{ id: link.userId, context: byHolder(link, origin), lifetimes, restoreDays },
        async decide(user) {
          isTaken = !user.is_deleted && (await consumeLink(tx, id));
          return isTaken ? await change(tx, link) : undefined;
        },
      });
      return isTaken && after !== undefined ? { done: await then(tx, link, after) } : undefined;
    });
    if (done === undefined) return (await findLink(db.pool, id))?.end ?? 'unknown';
    return done;
  }

  async function simply(id: string, origin: RequestOrigin, change: Use<void>['change']): Promise<LinkEnd | 'done'> {
    const result = await use(id, origin, { change, then: async () => undefined });
    return typeof result === 'string' ? result : 'done';
  }

  /** Ends a link, and cancels the pending change, after another account has taken the address. Later uses of the link report `email_taken`. */
  async function endTaken(id: string, origin: RequestOrigin): Promise<void> {
    const link = await findLink(db.pool, id);
    if (link === undefined) return;
    await db.transaction(async (tx) => {
      await changeUserRow(tx, {
        ...{ id: link.userId, context: byHolder(link, origin), lifetimes, restoreDays },
        async decide({ pending_email: pending }) {
          await revokeLinks(tx, link.userId, ['confirm_email'], 'email_taken');
          return pending === null ? undefined : { pendingEmail: null };
        },
      });
    });
  }

  return {
    find: async (id) => await findLink(db.pool, id),
    verifyEmail: async (id, origin) => await simply(id, origin, async () => ({ emailVerified: true })),
    async resetPassword(id, passwordHash, origin) {
      const result = await use<AccessPeriod>(id, origin, {
        async change(tx, { userId }) {
          // using this link also proves that the user can read mails to the address
          await consumeOpenLink(tx, userId, 'verify_email');
          return { passwordHash, emailVerified: true, endsSessions: 'password_reset' };
        },
        then: async (_tx, _link, after) => accessPeriodOf(after),
      });
      return typeof result === 'string' ? result : result.done;
    },
    async confirmEmail(id, origin) {
      try {
        return await simply(id, origin, async (_tx, { email }) => ({ email, emailVerified: true }));
      } catch (error) {
        if (!isTakenAddress(error)) throw error;
        await endTaken(id, origin);
        return 'email_taken';
      }
    },
    async undoEmailChange(id, passwordHash, origin) {
      try {
        const result = await use(id, origin, {
          async change(tx, { userId, email, createdAt }) {
            await revokeUndoLinksAfter(tx, userId, createdAt);
            return { email, emailVerified: true, passwordHash, endsSessions: 'email_undone' };
          },
          async then(tx, { userId, email }) {
            const link = { userId, email, purpose: 'reset_password', requestedBy: 'account_holder', origin } as const;
            return await openLink(tx, link, lifetimes);
          },
        });
        return typeof result === 'string' ? result : { resetLinkId: result.done };
      } catch (error) {
        if (isTakenAddress(error)) return 'email_taken';
        throw error;
      }
    },
  };
}

function byHolder({ userId }: AccountLink, origin: RequestOrigin) {
  return { actor: { kind: 'user', id: userId }, origin } as const;
}
