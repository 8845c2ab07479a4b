import type { Unavailable } from '@taskwire/http-client';
import type { Database } from '@taskwire/postgres';
import type { OnApplied } from './applied-change.ts';
import { applyStates } from './apply.ts';
import type { UserCache } from './cache.ts';
import { confirmDeletion } from './claims.ts';
import type { DirectoryUser } from './user.ts';
import type { UsersClient } from './users-client.ts';

/** A user as known to the directory or, if unknown there, to Auth; a deleted user has kind `ok` and `isDeleted`. */
export type ReadThrough = { kind: 'ok'; user: DirectoryUser } | { kind: 'not_found' } | Unavailable;

type Parts = { db: Database; users: UsersClient; cache: UserCache; onApplied: OnApplied | undefined; gapMs: number };

/** Reads users who may not be in the directory yet. Concurrent reads of one unknown user cause one request. */
export function createReadThrough({ db, users, cache, onApplied, gapMs }: Parts) {
  const fetching = new Map<string, Promise<ReadThrough>>();

  async function fetchUser(id: string): Promise<ReadThrough> {
    const answer = await users.getUser(id);
    if (answer.kind === 'not_found' || answer.kind === 'unavailable') return answer;
    await db.transaction(async (tx) => {
      tx.afterCommit(() => cache.forget(id));
      if (answer.kind === 'ok') await applyStates(tx, [answer.value], onApplied, { askedAt: null });
      else await confirmDeletion(tx, { id, askedAt: null, eventCount: null }, gapMs, onApplied);
    });
    const user = await cache.get(id);
    if (user !== undefined) return { kind: 'ok', user };
    // a response about another user, or a row that cannot be read back: the user's state is unknown, which does not mean that the user does not exist
    return {
      kind: 'unavailable',
      reason: 'bad_answer',
      detail: `the state that Auth returned for ${id} cannot be read back`,
    };
  }

  async function readThrough(id: string): Promise<ReadThrough> {
    const stored = await cache.get(id);
    if (stored !== undefined) return { kind: 'ok', user: stored };
    const running = fetching.get(id) ?? fetchUser(id).finally(() => fetching.delete(id));
    fetching.set(id, running);
    return await running;
  }

  /**
   * Like `readThrough`, with the name and address of a user who was deleted before the directory had them: a 410 contains neither, but Auth's list of
   * changes contains both. `deletedAt` is the time of the deletion in its event.
   */
  async function readFormer(id: string, deletedAt: string): Promise<ReadThrough> {
    const found = await readThrough(id);
    if (found.kind !== 'ok' || !found.user.isDeleted || found.user.email !== null) return found;
    const page = await users.listUsers({ updatedSince: deletedAt, cursor: null });
    if (page.kind === 'unavailable') return page;
    if (page.kind === 'ok') {
      await db.transaction(async (tx) => {
        tx.afterCommit(() => cache.forget(id));
        await applyStates(tx, page.value.data, onApplied, { askedAt: null });
      });
    }
    return await readThrough(id);
  }

  return { readThrough, readFormer };
}
