import { fieldProblem, problem } from '@taskwire/errors';
import { isLeader, type Actor } from '../task.ts';
import type { ProjectRole } from './role.ts';

export type ProjectContent = { name: string; description: string; archived: boolean };

/** A project as stored, with the role of the user who acts on it; null for a user who is not a member. */
export type Project = ProjectContent & { id: string; version: number; role: ProjectRole | null };

/** @throws Problem `forbidden` unless the actor leads the project, or all projects. */
export function authorizeManagement(actor: Actor, { role }: Pick<Project, 'role'>): void {
  if (role === 'lead' || isLeader(actor.role)) return;
  throw problem('forbidden', 'Only leads of the project, managers and admins can do this.');
}

/** Whether changing a member's role, or removing the member, takes a lead from the project. */
export function losesLead(from: ProjectRole | undefined, to: ProjectRole | undefined): boolean {
  return from === 'lead' && to !== 'lead';
}

/** Services get the members of the project with each of its tasks. */
const mostMembers = 1_000;

/** @throws Problem `too_many_members` unless a project with so many members can have another one. */
export function requireRoom(members: number): void {
  if (members >= mostMembers)
    throw fieldProblem('too_many_members', {
      field: 'user_id',
      message: 'would be one member too many',
      detail: `A project has at most ${mostMembers} members.`,
    });
}

/** @throws Problem `project_archived`. */
export function requireInUse({ isArchived }: { isArchived: boolean }): void {
  if (isArchived)
    throw problem('project_archived', 'Its tasks can be changed once it is returned to use: {"archived": false}.');
}
