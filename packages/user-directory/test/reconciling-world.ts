import { fakeAuth } from './fake-auth.ts';
import { createWorld, type World } from './world.ts';

/** `ageMs`: how old Auth's changes are; by default old enough that their events should have arrived. */
type Options = { pageSize?: number; ageMs?: number; reconcile?: { everyMs?: number; leaseMs?: number } };

/** Sets up a user directory that only its reconciler keeps up to date, for the tests of the enclosing describe. */
export function useReconcilingWorld() {
  let current: World;
  afterEach(async () => await current.drop());
  return {
    /** The world that `start` created. */
    world: () => current,
    async start({ pageSize = 100, ageMs = 3_600_000, reconcile = {} }: Options = {}) {
      current = await createWorld({ auth: fakeAuth({ pageSize, ageMs }), reconcile });
      return current;
    },
    async reconcileOnce(): Promise<void> {
      while ((await current.directory.reconciler.tick()) === 'more');
    },
  };
}
