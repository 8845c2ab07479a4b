import { standingOf, type Member, type PerformerPolicy } from '../domain/performer.ts';

/** A person before and after a change of the directory; `before` is absent for one who was not known. */
type Change = { before?: Person; after: Person };
type Person = Member & { id: string };

/** A hint has no use beyond this many; what is left out is found by the poll. */
const most = 100;

/** Who became a performer or ceased to be one, as hints for who moves tasks on. */
export function createPerformerChanges(policy: PerformerPolicy) {
  let changed: string[] = [];
  const performs = (person: Person | undefined) => person !== undefined && standingOf(person, policy) === 'performer';

  return {
    /** Tells whether it matters. */
    note({ before, after }: Change): boolean {
      if (performs(before) === performs(after)) return false;
      if (changed.length < most) changed.push(after.id);
      return true;
    },
    /** Those who were noted since the last call. */
    take(): readonly string[] {
      const taken = changed;
      changed = [];
      return taken;
    },
  };
}
