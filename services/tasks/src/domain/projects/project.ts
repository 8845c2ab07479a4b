import { problem } from '@taskwire/errors';
import { isLeader, type Actor } from '../task.ts';

/** The role of a member. Viewers read; contributors also write and carry out tasks; leads also assign tasks and manage the project. */
export type ProjectRole = 'lead' | 'contributor' | 'viewer';

export type ProjectContent = { name: string; description: string; archived: boolean };

/** A project as stored, with the role of the user who acts on it; null for a user who is not a member. */
export type Project = ProjectContent & { id: string; version: number; role: ProjectRole | null };

/** @throws Problem `forbidden` unless the actor leads the project, or all projects. */
export function authorizeManagement(actor: Actor, { role }: Pick<Project, 'role'>): void {
  if (role === 'lead' || isLeader(actor.role)) return;
  throw problem('forbidden', 'Only leads of the project, managers and admins can do this.');
}

/** Whether a change of a member from one role to another, or to none, takes a lead away. */
export function losesLead(from: ProjectRole | undefined, to: ProjectRole | undefined): boolean {
  return from === 'lead' && to !== 'lead';
}
