import { problem, type Problem } from '@taskwire/errors';
import type { Eligibility } from '../domain/performer.ts';

/** @throws Problem `unknown_assignee` or `ineligible_assignee` unless the user is a performer. */
export function requireEligible(eligibility: Eligibility): void {
  switch (eligibility) {
    case 'eligible':
      return;
    case 'unknown':
      throw problem('unknown_assignee', 'Use the id of a user.');
    case 'unverified':
      throw problem(
        'ineligible_assignee',
        "The user's e-mail address is not verified; they can be assigned tasks once it is.",
      );
    case 'ineligible':
      throw ineligible();
  }
}

export function ineligible(): Problem {
  return problem('ineligible_assignee', 'Only users with the member role can be assigned tasks.');
}

export function noPerformers(): Problem {
  return problem('no_performers', 'There are no users with the member role who can be assigned tasks.');
}
