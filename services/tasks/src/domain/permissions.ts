import { problem } from '@taskwire/errors';
import type { Person, Role, Task } from './task.ts';

/** The actions on a task that need permission. Every user may create and read tasks. */
export type Action = 'change' | 'delete' | 'assign' | 'start' | 'complete' | 'cancel';

type Rule = { who: string; allows(person: Person, task: Pick<Task, 'creator_id' | 'assignee_id'>): boolean };

const leaders: readonly Role[] = ['admin', 'manager'];

const creatorOrLeader: Rule = {
  who: 'the creator, managers and admins',
  allows: (person, task) => person.id === task.creator_id || leaders.includes(person.role),
};
const leader: Rule = { who: 'managers and admins', allows: (person) => leaders.includes(person.role) };
const assignee: Rule = { who: 'its assignee', allows: (person, task) => person.id === task.assignee_id };

const rules: Readonly<Record<Action, Rule>> = {
  change: creatorOrLeader,
  delete: creatorOrLeader,
  assign: leader,
  start: assignee,
  complete: assignee,
  cancel: creatorOrLeader,
};

export function mayDo(action: Action, person: Person, task: Pick<Task, 'creator_id' | 'assignee_id'>): boolean {
  return rules[action].allows(person, task);
}

/** @throws Problem `forbidden` that names who has permission. */
export function requireMay(action: Action, person: Person, task: Pick<Task, 'creator_id' | 'assignee_id'>): void {
  if (!mayDo(action, person, task)) throw problem('forbidden', `To ${action} this task is for ${rules[action].who}.`);
}
