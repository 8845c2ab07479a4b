import { problem } from '@taskwire/errors';
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
  requireTaskOfPeople(parent, 'it cannot have sub-tasks');
  if (hasEnded(parent.state))
    throw problem('illegal_transition', `A task that is ${parent.state} has ended and cannot get sub-tasks.`);
}

/** @throws Problem `too_many_links` for a tree that would be too deep, or a parent with too many open sub-tasks. */
export function requirePlace({ ancestors, openSubtasks, levels }: Place): void {
  if (ancestors.length + levels > mostLevels)
    throw problem('too_many_links', `A tree of tasks has at most ${mostLevels} levels.`);
  if (openSubtasks >= mostOpenSubtasks)
    throw problem('too_many_links', `A task has at most ${mostOpenSubtasks} open sub-tasks.`);
}

/** A tree lies in one project. @throws Problem `other_project`. */
export function requireSameProject(task: Task, parent: Task): void {
  if (task.project_id !== parent.project_id) throw otherProject();
}

export function otherProject() {
  return problem('other_project', 'A task and its sub-tasks are in the same project.');
}

export function unknownParent() {
  return problem('unknown_parent', 'Use the id of a task as parent_id.');
}
