import { fieldProblem } from '@taskwire/errors';
import { requireTaskOfPeople } from '../job-task.ts';
import { authorize } from '../permissions.ts';
import { hasEnded, type ActedTask, type Actor, type Task } from '../task.ts';
import { mostLevels, mostOpenSubtasks } from './limits.ts';

/** The place that a sub-task would have in a tree. */
export type Place = {
  /** The parent, its parent, and so on. */
  ancestors: readonly string[];
  openSubtasks: number;
  /** The number of levels of the subtree: the sub-task and the tasks below it. */
  levels: number;
};

/**
 * Checks that the actor may add a sub-task to a parent.
 * @throws Problem `forbidden`; `illegal_transition` for a parent that has ended or belongs to a job.
 */
export function requireParent(actor: Actor, parent: ActedTask): void {
  authorize('divide', actor, parent);
  requireTaskOfPeople(parent, 'it cannot have sub-tasks', {
    field: 'parent_id',
    message: 'is a task that a worker carries out',
  });
  if (hasEnded(parent.state))
    throw fieldProblem('illegal_transition', {
      field: 'parent_id',
      message: 'is a task that has ended',
      detail: `A task that is ${parent.state} has ended and cannot get sub-tasks.`,
    });
}

/** @throws Problem `too_many_links` for a tree that would be too deep, or a parent with too many open sub-tasks. */
export function requirePlace({ ancestors, openSubtasks, levels }: Place): void {
  if (ancestors.length + levels > mostLevels) throw fullParent(`A tree of tasks has at most ${mostLevels} levels.`);
  if (openSubtasks >= mostOpenSubtasks) throw fullParent(`A task has at most ${mostOpenSubtasks} open sub-tasks.`);
}

function fullParent(detail: string) {
  return fieldProblem('too_many_links', {
    field: 'parent_id',
    message: 'is a task that cannot get this sub-task',
    detail: `${detail} Use another parent.`,
  });
}

/** A tree lies in one project. @throws Problem `other_project`. */
export function requireSameProject(task: Task, parent: Task): void {
  if (task.project_id !== parent.project_id) throw otherProject('parent_id');
}

/** `field`: the one that the request changes. */
export function otherProject(field: 'parent_id' | 'project_id' = 'project_id') {
  return fieldProblem('other_project', {
    field,
    message: 'does not agree with the project of the task and its parent',
    detail: 'A task and its sub-tasks are in the same project. Move the whole tree, or change parent_id.',
  });
}

export function unknownParent() {
  return fieldProblem('unknown_parent', {
    field: 'parent_id',
    message: 'is not the id of a task that you can read',
    detail: 'Use the id of a task as parent_id.',
  });
}
