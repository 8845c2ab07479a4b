import { expect } from 'chai';
import { Problem } from '@taskwire/errors';
import { requireEligible } from '../src/app/eligibility.ts';
import { otherProject, requirePlace, unknownParent } from '../src/domain/links/parents.ts';
import { closesCycle, hinderedBy } from '../src/domain/links/related.ts';
import { outsideOfProjects } from '../src/domain/permissions.ts';
import { authorizeTransition } from '../src/domain/transitions.ts';

const thrownBy = (fn: () => unknown): unknown => {
  try {
    return fn();
  } catch (error) {
    return error;
  }
};
const tasks = { named: [], count: 2 };
const taskOfJob = { kind: 'job', creator_id: 'm', assignee_id: null, ...outsideOfProjects } as const;

describe('A rule that a request breaks', () => {
  const cases: Record<string, [what: () => unknown, code: string, remedy: string]> = {
    'an unknown assignee': [() => requireEligible('unknown'), 'assignee_id unknown_assignee', 'Use the id'],
    'an ineligible assignee': [() => requireEligible('ineligible'), 'assignee_id ineligible_assignee', 'member role'],
    'an unverified assignee': [() => requireEligible('unverified'), 'assignee_id ineligible_assignee', 'once it is'],
    'an unknown parent': [() => unknownParent(), 'parent_id unknown_parent', 'Use the id'],
    'a parent in another project': [() => otherProject('parent_id'), 'parent_id other_project', 'change parent_id'],
    'a tree that is too deep': [
      () => requirePlace({ ancestors: Array.from({ length: 5 }, String), openSubtasks: 0, levels: 1 }),
      'parent_id too_many_links',
      'Use another parent',
    ],
    'a task below itself': [() => closesCycle('task_cycle', tasks), 'parent_id task_cycle', 'Use a task outside'],
    'tasks that wait for each other': [
      () => closesCycle('dependency_cycle', tasks),
      'other_id dependency_cycle',
      'Remove one',
    ],
    'a task that a worker carries out': [
      () => authorizeTransition({ id: 'm', role: 'manager' }, taskOfJob, 'completed'),
      'state illegal_transition',
      'It can be cancelled',
    ],
    'a blocked task': [() => hinderedBy('task_blocked', tasks), 'state task_blocked', '"override_blocked": true'],
    'open sub-tasks': [() => hinderedBy('open_subtasks', tasks), 'state open_subtasks', '"force": true'],
  };
  for (const [name, [what, code, remedy]] of Object.entries(cases)) {
    it(`is reported with its field and a remedy: ${name}`, () => {
      const problem = thrownBy(what);
      if (!(problem instanceof Problem)) throw new Error('no problem');
      expect(problem.errors?.map((error) => `${error.field} ${error.code}`)).to.deep.equal([code]);
      expect(problem.detail).to.contain(remedy);
    });
  }
});
