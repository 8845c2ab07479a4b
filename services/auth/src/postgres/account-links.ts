import type { Database, Tx } from '@taskwire/postgres';
import type { AccountLinks } from '../app/account-links.ts';
import type { Origin } from '../app/audit.ts';
import type { UserChange } from '../app/ports.ts';
import { findLink, takeLink, takeOpenLink, type LinkLifetimes } from './account-link-rows.ts';
import { changeUserRow } from './user-changes.ts';

export type AccountLinksOptions = {
  db: Database;
  lifetimes: LinkLifetimes;
  /** Called once events were committed, as a hint to publish them. */
  onEvents: () => void;
};

export function createAccountLinks({ db, lifetimes, onEvents }: AccountLinksOptions): AccountLinks {
  /** Uses a link for a change of its user. The user's row is locked first, as everywhere. */
  async function use(id: string, origin: Origin, change: (tx: Tx, userId: string) => Promise<UserChange>) {
    const link = await findLink(db.pool, id);
    if (link === undefined) return 'unknown';
    const by = { actor: { kind: 'user', id: link.userId }, origin } as const;
    const isTaken = await db.transaction(async (tx) => {
      let taken = false;
      await changeUserRow(tx, {
        ...{ id: link.userId, by, lifetimes },
        async decide() {
          taken = await takeLink(tx, id);
          return taken ? await change(tx, link.userId) : undefined;
        },
      });
      return taken;
    });
    if (!isTaken) return (await findLink(db.pool, id))?.end ?? 'unknown';
    onEvents();
    return 'done';
  }

  return {
    find: async (id) => await findLink(db.pool, id),
    verifyEmail: async (id, origin) => await use(id, origin, async () => ({ emailVerified: true })),
    resetPassword: async (id, passwordHash, origin) =>
      await use(id, origin, async (tx, userId) => {
        // whoever reads the mails of the address has proven that as well
        await takeOpenLink(tx, userId, 'verify_email');
        return { passwordHash, emailVerified: true, endsSessions: 'password_reset' };
      }),
  };
}
