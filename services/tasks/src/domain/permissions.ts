import { problem } from '@taskwire/errors';
import { isLeader, type Actor, type Task } from './task.ts';

/** The actions on a task that need permission. Every user may create and read tasks. */
export type Action =
  'change' | 'delete' | 'restore' | 'assign' | 'start' | 'complete' | 'cancel' | 'divide' | 'override';

type Rule = { who: string; allows(actor: Actor, task: Pick<Task, 'creator_id' | 'assignee_id'>): boolean };

const creatorOrLeader: Rule = {
  who: 'the creator, managers and admins',
  allows: (actor, task) => actor.id === task.creator_id || isLeader(actor.role),
};
const creatorAssigneeOrLeader: Rule = {
  who: 'the creator, the assignee, managers and admins',
  allows: (actor, task) => creatorOrLeader.allows(actor, task) || actor.id === task.assignee_id,
};
const leader: Rule = { who: 'managers and admins', allows: (actor) => isLeader(actor.role) };
const assignee: Rule = { who: 'its assignee', allows: (actor, task) => actor.id === task.assignee_id };

const rules: Readonly<Record<Action, Rule>> = {
  change: creatorOrLeader,
  delete: creatorOrLeader,
  restore: creatorOrLeader,
  assign: leader,
  start: assignee,
  complete: assignee,
  cancel: creatorOrLeader,
  divide: creatorAssigneeOrLeader,
  override: leader,
};

const phrases: Partial<Record<Action, string>> = {
  divide: 'add sub-tasks to this task',
  override: 'override what hinders this task',
};

export function isAllowed(action: Action, actor: Actor, task: Pick<Task, 'creator_id' | 'assignee_id'>): boolean {
  return rules[action].allows(actor, task);
}

/** @throws Problem `forbidden` that names who has permission. */
export function authorize(action: Action, actor: Actor, task: Pick<Task, 'creator_id' | 'assignee_id'>): void {
  if (!isAllowed(action, actor, task))
    throw problem('forbidden', `Only ${rules[action].who} can ${phrases[action] ?? `${action} this task`}.`);
}
