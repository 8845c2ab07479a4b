import { problem, type Problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import type { Actor } from '../../domain/task.ts';
import type { TaskStore } from '../ports.ts';
import type { Saved, SavedStore } from './ports.ts';

/** The number of items that a user may save: more than a person can tell apart, and few enough for one list. */
const mostOfAUser = 100;

/** A user's command on something saved. `requireVersion` throws when the caller expects another version. */
export type SavedCommand = { actor: Actor; id: string; requireVersion: (version: number) => void };

type Sharable = { shared: boolean };
type Kind = { noun: 'view' | 'template'; tooMany: 'too_many_views' | 'too_many_templates' };

/**
 * The permissions on something that users save. Only its creator may change it, admins may also delete it, and others may read it if it is shared.
 */
export function savedRules({ noun, tooMany }: Kind) {
  const missing = (): Problem => problem('not_found', `There is no ${noun} with this id, or it is not shared.`);

  async function lock<C extends Sharable, S extends z.ZodType>(
    store: SavedStore<C, S>,
    tx: Tx,
    { actor, id, requireVersion }: SavedCommand,
  ): Promise<Saved<C>> {
    const saved = await store.lock(tx, id);
    if (saved === undefined || (saved.creatorId !== actor.id && !saved.shared)) throw missing();
    requireVersion(saved.version);
    return saved;
  }

  return {
    missing,

    /** @throws Problem `too_many_views` or `too_many_templates`. */
    async requireRoom<C, S extends z.ZodType>(store: SavedStore<C, S>, tx: Tx, { id }: Actor): Promise<void> {
      if ((await store.count(tx, id)) >= mostOfAUser)
        throw problem(tooMany, `A user can have ${mostOfAUser} ${noun}s. Delete one that is no longer needed.`);
    },

    /** Locks something saved for a change. @throws Problem `not_found`, `forbidden`, and whatever `requireVersion` throws. */
    async lockToChange<C extends Sharable, S extends z.ZodType>(
      store: SavedStore<C, S>,
      tx: Tx,
      command: SavedCommand,
    ): Promise<Saved<C>> {
      const saved = await lock(store, tx, command);
      if (saved.creatorId !== command.actor.id) throw problem('forbidden', `Only its creator can change a ${noun}.`);
      return saved;
    },

    /** @throws as `lockToChange`. */
    async remove<C extends Sharable, S extends z.ZodType>(
      { tasks, store }: { tasks: Pick<TaskStore, 'transaction'>; store: SavedStore<C, S> },
      command: SavedCommand,
    ): Promise<void> {
      const { actor } = command;
      await tasks.transaction(async (tx) => {
        const { id, creatorId } = await lock(store, tx, command);
        if (creatorId !== actor.id && actor.role !== 'admin')
          throw problem('forbidden', `Only its creator and admins can delete a ${noun}.`);
        await store.remove(tx, id);
      });
    },
  };
}

/** The content after the given fields are replaced. */
export function withChange<C extends object>(content: C, change: { [Field in keyof C]?: C[Field] | undefined }): C {
  return { ...content, ...Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) };
}
