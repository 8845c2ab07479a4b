/** A person before and after a change of the directory; `before` is absent for one who was not known. */
type Change = { before?: Person; after: Person };
type Person = { id: string; role: string | null; isDeleted: boolean };

/** A hint has no use beyond this many; what is left out is found by the poll. */
const most = 100;

/** Who became a performer or ceased to be one, as hints for who moves tasks on. */
export function createPerformerChanges() {
  let changed: string[] = [];
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

function performs(person: Person | undefined): boolean {
  return person !== undefined && !person.isDeleted && person.role === 'member';
}
