import { fieldProblem, problem, Problem } from '@taskwire/errors';
import type { Eligibility } from '../domain/performer.ts';
import type { Users } from './ports.ts';

/** @throws Problem `unknown_assignee` or `ineligible_assignee`, which names the field, unless the user is a performer. */
export function requireEligible(eligibility: Eligibility, field = 'assignee_id'): void {
  switch (eligibility) {
    case 'eligible':
      return;
    case 'unknown':
      throw fieldProblem('unknown_assignee', {
        field,
        message: 'is not the id of a user',
        detail: 'Use the id of a user.',
      });
    case 'unverified':
      throw ineligible("The user's e-mail address is not verified; they can be assigned tasks once it is.", field);
    case 'not_contributor':
      throw ineligible('Only contributors and leads of its project can be assigned this task.', field);
    case 'ineligible':
      throw ineligible(undefined, field);
  }
}

/**
 * Runs a write that requires an assignee. If the directory doesn't know the assignee yet, the write runs again after the user was looked up in Auth, so
 * that no transaction waits for another service. `field` is the field of the request that names the assignee.
 */
export async function withKnownAssignee<T>(
  users: Users,
  assigneeId: string | null,
  write: () => Promise<T>,
  field = 'assignee_id',
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'unknown_assignee' || assigneeId === null) throw error;
  }
  requireEligible(await users.eligibilityOf(assigneeId), field);
  return await write();
}

export function ineligible(
  detail = 'Only users with the member role can be assigned tasks.',
  field = 'assignee_id',
): Problem {
  const message = 'is a user who cannot be assigned this task';
  return fieldProblem('ineligible_assignee', { field, message, detail });
}

export function noPerformers(projectId: string | null = null): Problem {
  return problem(
    'no_performers',
    projectId === null
      ? 'There are no users with the member role who can be assigned tasks.'
      : 'The project has no contributor or lead with the member role.',
  );
}
