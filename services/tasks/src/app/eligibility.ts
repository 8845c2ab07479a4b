import { fieldProblem, problem, Problem } from '@taskwire/errors';
import type { Eligibility } from '../domain/performer.ts';
import type { Users } from './ports.ts';

/** @throws Problem `unknown_assignee` or `ineligible_assignee` unless the user is a performer. */
export function requireEligible(eligibility: Eligibility): void {
  switch (eligibility) {
    case 'eligible':
      return;
    case 'unknown':
      throw aboutAssignee('unknown_assignee', 'is not the id of a user', 'Use the id of a user.');
    case 'unverified':
      throw ineligible("The user's e-mail address is not verified; they can be assigned tasks once it is.");
    case 'not_contributor':
      throw ineligible('Only contributors and leads of its project can be assigned this task.');
    case 'ineligible':
      throw ineligible();
  }
}

/**
 * Runs a write that requires an assignee. If the directory doesn't know the assignee yet, the write runs again after the user was looked up in Auth, so
 * that no transaction waits for another service.
 */
export async function withKnownAssignee<T>(
  users: Users,
  assigneeId: string | null,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'unknown_assignee' || assigneeId === null) throw error;
  }
  requireEligible(await users.eligibilityOf(assigneeId));
  return await write();
}

export function ineligible(detail = 'Only users with the member role can be assigned tasks.'): Problem {
  return aboutAssignee('ineligible_assignee', 'is a user who cannot be assigned this task', detail);
}

function aboutAssignee(code: 'unknown_assignee' | 'ineligible_assignee', message: string, detail: string): Problem {
  return fieldProblem(code, { field: 'assignee_id', message, detail });
}

export function noPerformers(projectId: string | null = null): Problem {
  return problem(
    'no_performers',
    projectId === null
      ? 'There are no users with the member role who can be assigned tasks.'
      : 'The project has no contributor or lead with the member role.',
  );
}
