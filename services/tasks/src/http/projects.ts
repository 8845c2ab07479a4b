import { tasksRoutes } from '@taskwire/contracts';
import { bind, listCursors, PreserializedJson, requireMatch, response, type BoundRoute } from '@taskwire/http-server';
import type { ProjectPorts } from '../app/projects/ports.ts';
import {
  changeProject,
  createProject,
  noSuchProject,
  removeMember,
  setMember,
} from '../app/projects/write-projects.ts';
import { pageBody, respond } from './response.ts';

const member = tasksRoutes.setProjectMember.responses[200];

export function projectRoutes(ports: ProjectPorts): BoundRoute[] {
  const { projects } = ports;
  return [
    bind(tasksRoutes.listProjects, async ({ actor, query: { archived: given, cursor, limit } }) => {
      const archived = given === 'true';
      const cursors = listCursors('id', { name: 'projects', filter: { reader: actor.id, archived } });
      const page = await projects.list(actor, { archived }, { after: cursors.decode(cursor), limit });
      return response(200, pageBody(tasksRoutes.listProjects.responses[200], page, cursors));
    }),
    bind(tasksRoutes.createProject, async ({ actor, body: content, idempotent: request }) =>
      respond(tasksRoutes.createProject, 201, await createProject(ports, { actor, content, request })),
    ),
    bind(tasksRoutes.getProject, async ({ actor, params }) => {
      const project = await projects.read(params.id, actor);
      if (project === undefined) throw noSuchProject();
      return respond(tasksRoutes.getProject, 200, project);
    }),
    bind(tasksRoutes.changeProject, async ({ actor, params, body: change, ifMatch }) => {
      const requireVersion = (version: number) => requireMatch(ifMatch, version);
      const command = { actor, projectId: params.id, change, requireVersion };
      return respond(tasksRoutes.changeProject, 200, await changeProject(ports, command));
    }),
    bind(tasksRoutes.listProjectMembers, async ({ actor, params, query: { cursor, limit } }) => {
      const cursors = listCursors('id', { name: 'members', filter: { project: params.id } });
      const page = await projects.listMembers(params.id, actor, { after: cursors.decode(cursor), limit });
      if (page === undefined) throw noSuchProject();
      return response(200, pageBody(tasksRoutes.listProjectMembers.responses[200], page, cursors));
    }),
    bind(tasksRoutes.setProjectMember, async ({ body: { role }, ...request }) =>
      response(200, new PreserializedJson(member, await setMember(ports, { ...commandOf(request), role }))),
    ),
    bind(tasksRoutes.removeProjectMember, async (request) => {
      await removeMember(ports, commandOf(request));
      return response(204);
    }),
  ];
}

/** A command on the member in the path. */
function commandOf<A>({ actor, params }: { actor: A; params: { id: string; user_id: string } }) {
  return { actor, projectId: params.id, userId: params.user_id };
}
