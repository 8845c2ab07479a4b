import { problem, type Problem } from '@taskwire/errors';
import type { People, Standing } from './ports.ts';

/** @throws Problem `unknown_assignee` or `ineligible_assignee`; `unavailable` when Auth can't be asked. */
export async function requirePerformer(people: People, userId: string): Promise<void> {
  requireStanding(await people.standing(userId));
}

/** @throws Problem `unknown_assignee` or `ineligible_assignee`. */
export function requireStanding(standing: Standing): void {
  if (standing === 'unknown') throw problem('unknown_assignee', 'Use the id of a user.');
  if (standing === 'unverified') throw unverified();
  if (standing !== 'performer') throw ineligible();
}

export function ineligible(): Problem {
  return problem('ineligible_assignee', 'Tasks are carried out by users with the role member.');
}

function unverified(): Problem {
  return problem(
    'ineligible_assignee',
    "The person's e-mail address is not verified; they can be assigned tasks once it is.",
  );
}

export function noPerformers(): Problem {
  return problem('no_performers', 'There is no user with the role member who can be assigned tasks.');
}
