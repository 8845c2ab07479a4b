import { isLeader, type Actor } from '../task.ts';

/**
 * A user who reads only tasks outside of projects and those of the projects that have them as a member; null reads every task: managers, admins and the
 * service itself.
 */
export type Reader = string | null;

/** How an actor reads tasks. */
export function readerOf(actor: Actor): Reader {
  return isLeader(actor.role) ? null : actor.id;
}
