import { fieldProblem, problem, type Problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import {
  authorizeManagement,
  losesLead,
  requireRoom,
  type Project,
  type ProjectContent,
} from '../../domain/projects/project.ts';
import type { ProjectRole } from '../../domain/projects/role.ts';
import type { Actor } from '../../domain/task.ts';
import type { IdempotentRequest, WriteResult } from '../ports.ts';
import type { MemberJson, ProjectDocument, ProjectPorts, ProjectSchema } from './ports.ts';

type NewProject = { name: string; description: string };

/** Creates a project, with its creator as its lead. A replayed response also counts against the limit. */
export async function createProject(
  { tasks, projects, creations }: ProjectPorts,
  { actor, content, request }: { actor: Actor; content: NewProject; request: IdempotentRequest | undefined },
): Promise<WriteResult<ProjectSchema>> {
  creations.take(actor.id);
  return await tasks.once<ProjectSchema>(request, async (tx) => await projects.insert(tx, actor, wellFormed(content)));
}

type ProjectChange = { [Field in keyof ProjectContent]?: ProjectContent[Field] | undefined };
type ProjectCommand = { actor: Actor; projectId: string };

/** Changes the given fields. The same content is a new version, too. */
export async function changeProject(
  { tasks, projects }: ProjectPorts,
  {
    change,
    requireVersion,
    ...command
  }: ProjectCommand & { change: ProjectChange; requireVersion: (version: number) => void },
): Promise<ProjectDocument> {
  return await tasks.transaction(async (tx) => {
    const { id, name, description, archived, version } = await loadManaged(projects, tx, command);
    requireVersion(version);
    const given = Object.entries(change).filter(([, value]) => value !== undefined);
    const content = { name, description, archived, ...Object.fromEntries(given) };
    return await projects.update(tx, id, command.actor, wellFormed(content));
  });
}

export type MemberCommand = ProjectCommand & { userId: string };

/**
 * Adds a member, or gives a member another role.
 * @throws Problem `unknown_member`; `unavailable` when Auth is needed to know the user and unavailable; `too_many_members`, `last_lead`.
 */
export async function setMember(
  ports: ProjectPorts,
  { role, ...command }: MemberCommand & { role: ProjectRole },
): Promise<MemberJson> {
  const { tasks, projects, users } = ports;
  // checked before Auth is queried, and again under the lock
  await tasks.transaction(async (tx) => await loadManaged(projects, tx, command));
  if (!(await users.exists(command.userId)))
    throw fieldProblem('unknown_member', {
      field: 'user_id',
      message: 'is not the id of a user',
      detail: 'Use the id of a user.',
    });
  return await tasks.transaction(async (tx) => {
    const { id } = await loadManaged(projects, tx, command);
    const held = await projects.roleOf(tx, id, command.userId);
    if (held === undefined) requireRoom(await projects.countMembers(tx, id));
    await requireLead(ports, tx, command, { from: held, to: role });
    tx.afterCommit(ports.wakeReassigner);
    return await projects.setMember(tx, id, command.userId, role);
  });
}

/** Removes a member. Members may remove themselves. @throws Problem `last_lead`. */
export async function removeMember(ports: ProjectPorts, command: MemberCommand): Promise<void> {
  const { tasks, projects } = ports;
  const { actor, userId } = command;
  await tasks.transaction(async (tx) => {
    const { id } = await load(projects, tx, command, (found) => {
      if (actor.id !== userId) authorizeManagement(actor, found);
    });
    const held = await projects.roleOf(tx, id, userId);
    if (held === undefined) throw problem('not_found', 'The project has no member with this id.');
    await requireLead(ports, tx, command, { from: held, to: undefined });
    tx.afterCommit(ports.wakeReassigner);
    await projects.removeMember(tx, id, userId);
  });
}

type RoleChange = { from: ProjectRole | undefined; to: ProjectRole | undefined };

async function requireLead(
  { projects }: ProjectPorts,
  tx: Tx,
  { projectId, userId }: MemberCommand,
  { from, to }: RoleChange,
): Promise<void> {
  if (!losesLead(from, to) || (await projects.hasOtherLead(tx, projectId, userId))) return;
  throw problem('last_lead', 'Make another member a lead first: {"role": "lead"}.');
}

async function loadManaged(projects: ProjectPorts['projects'], tx: Tx, command: ProjectCommand): Promise<Project> {
  return await load(projects, tx, command, (found) => authorizeManagement(command.actor, found));
}

async function load(
  projects: ProjectPorts['projects'],
  tx: Tx,
  { actor, projectId }: ProjectCommand,
  requirePermission: (project: Project) => void,
): Promise<Project> {
  const project = await projects.lock(tx, projectId, actor);
  if (project === undefined) throw noSuchProject();
  requirePermission(project);
  return project;
}

/** Normalises texts to the form in which they are stored: well-formed Unicode. */
function wellFormed<C extends NewProject>(content: C): C {
  return { ...content, name: content.name.toWellFormed(), description: content.description.toWellFormed() };
}

export function noSuchProject(): Problem {
  return problem('not_found', 'There is no project with this id.');
}
