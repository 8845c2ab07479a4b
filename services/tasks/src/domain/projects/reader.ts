import { isLeader, type Actor } from '../task.ts';

/**
 * A user who reads only tasks outside of projects and tasks of the projects to which they belong. Null reads every task: managers, admins and the
 * service itself.
 */
export type Reader = string | null;

/** The reader that an actor is. */
export function readerOf(actor: Actor): Reader {
  return isLeader(actor.role) ? null : actor.id;
}
