import { problem } from '@taskwire/errors';
import { requireInUse } from './projects/project.ts';
import type { ProjectRole } from './projects/role.ts';
import { isLeader, type Actor, type Task } from './task.ts';

/** The actions on a task that need permission. */
export type Action =
  | ('create' | 'change' | 'delete' | 'restore' | 'assign' | 'start' | 'complete' | 'cancel')
  | ('comment' | 'divide' | 'override' | 'leave');

/**
 * The facts on which a permission depends. `project_role` is the role of the actor in the project of the task; null for a user who is not a member.
 */
export type Subject = Pick<Task, 'creator_id' | 'assignee_id' | 'project_id'> & {
  project_role: ProjectRole | null;
  project_is_archived: boolean;
};

/** A project, or none, with the role of an actor in it. */
export type ProjectOfTask = Pick<Subject, 'project_id' | 'project_role' | 'project_is_archived'>;

/** The values of these facts for a task outside of projects. */
export const outsideOfProjects = { project_id: null, project_role: null, project_is_archived: false } as const;

type Rule = { who: string; allows(actor: Actor, task: Subject): boolean };

const everyone: Rule = { who: 'users', allows: () => true };
const creatorOrLeader: Rule = {
  who: 'the creator, managers and admins',
  allows: (actor, task) => actor.id === task.creator_id || isLeader(actor.role),
};
const creatorAssigneeOrLeader: Rule = {
  who: 'the creator, the assignee, managers and admins',
  allows: (actor, task) => actor.id === task.assignee_id || creatorOrLeader.allows(actor, task),
};
const leader: Rule = { who: 'managers and admins', allows: (actor) => isLeader(actor.role) };
const assignee: Rule = { who: 'its assignee', allows: (actor, task) => actor.id === task.assignee_id };

const contributor: Rule = {
  who: 'contributors and leads of the project, managers and admins',
  allows: (actor, { project_role: role }) => role === 'lead' || role === 'contributor' || isLeader(actor.role),
};
// a viewer stays the assignee until the task is reassigned
const contributingAssignee: Rule = {
  who: 'its assignee, if they are a contributor or lead of the project,',
  allows: (actor, task) => assignee.allows(actor, task) && contributor.allows(actor, task),
};
const lead: Rule = {
  who: 'leads of the project, managers and admins',
  allows: (actor, { project_role: role }) => role === 'lead' || isLeader(actor.role),
};

/** The rule for tasks outside of projects, and the one for tasks in a project. */
const rules: Readonly<Record<Action, readonly [outside: Rule, inProject: Rule]>> = {
  create: [everyone, contributor],
  change: [creatorOrLeader, contributor],
  delete: [creatorOrLeader, contributor],
  restore: [creatorOrLeader, contributor],
  assign: [leader, lead],
  start: [assignee, contributingAssignee],
  complete: [assignee, contributingAssignee],
  cancel: [creatorOrLeader, contributor],
  comment: [everyone, contributor],
  divide: [creatorAssigneeOrLeader, contributor],
  override: [leader, leader],
  // others may read the task afterwards
  leave: [creatorOrLeader, lead],
};

const phrases: Partial<Record<Action, string>> = {
  create: 'create tasks in it',
  comment: 'comment on this task',
  divide: 'add sub-tasks to this task',
  override: 'override what hinders this task',
  leave: 'move this task out of its project',
};

function ruleOf(action: Action, { project_id }: Subject): Rule {
  return rules[action][project_id === null ? 0 : 1];
}

export function isAllowed(action: Action, actor: Actor, task: Subject): boolean {
  return ruleOf(action, task).allows(actor, task);
}

/** @throws Problem `forbidden` that names who has permission; `project_archived`, because no one may write in an archived project. */
export function authorize(action: Action, actor: Actor, task: Subject): void {
  if (!isAllowed(action, actor, task))
    throw problem('forbidden', `Only ${ruleOf(action, task).who} can ${phrases[action] ?? `${action} this task`}.`);
  requireInUse({ isArchived: task.project_is_archived });
}
