import { fieldProblem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import { otherProject } from '../../domain/links/parents.ts';
import { authorize, outsideOfProjects, type ProjectOfTask } from '../../domain/permissions.ts';
import type { Actor } from '../../domain/task.ts';
import { placeNewTask } from '../links/place.ts';
import type { LinkStore } from '../links/ports.ts';
import type { ProjectStore } from './ports.ts';

export type Places = { links: LinkStore; projects: Pick<ProjectStore, 'find'> };

/**
 * The place of a new task: the project of its parent, or the given project. Without both, it is outside of projects.
 * @throws what `placeNewTask` and `enterProject` throw; Problem `other_project` if the parent is in another project than the given one.
 */
export async function placeInProject(
  { links, projects }: Places,
  tx: Tx,
  o: { actor: Actor; parentId: string | null; projectId: string | null | undefined },
): Promise<ProjectOfTask> {
  const { actor, parentId, projectId } = o;
  if (parentId === null) return await enterProject(projects, tx, { actor, projectId: projectId ?? null });
  const { project_id, project_role, project_is_archived } = await placeNewTask(links, tx, actor, parentId);
  if (projectId !== undefined && projectId !== project_id) throw otherProject();
  return { project_id, project_role, project_is_archived };
}

/**
 * The project in which an actor creates a task, or to which they move a task. `field` is the field of the request that names it.
 * @throws Problem `unknown_project`, also for a project that the actor may not read; `forbidden`, `project_archived`.
 */
export async function enterProject(
  projects: Pick<ProjectStore, 'find'>,
  tx: Tx,
  { actor, projectId, field = 'project_id' }: { actor: Actor; projectId: string | null; field?: string },
): Promise<ProjectOfTask> {
  if (projectId === null) return outsideOfProjects;
  const project = await projects.find(tx, projectId, actor);
  if (project === undefined) throw unknownProject(projectId, field);
  const place = { project_id: projectId, project_role: project.role, project_is_archived: project.archived };
  authorize('create', actor, { creator_id: actor.id, assignee_id: null, ...place });
  return place;
}

function unknownProject(id: string, field: string) {
  const message = `is ${id}, which is not the id of a project that you can read`;
  return fieldProblem('unknown_project', { field, message, detail: 'Use the id of a project of yours.' });
}
