import { tasksRoutes } from '@taskwire/contracts';
import { bind, listCursors, response, type BoundRoute } from '@taskwire/http-server';
import { addLogTask } from '@taskwire/telemetry';
import { instantiateTemplate } from '../app/templates/instantiate.ts';
import type { TemplatePorts } from '../app/templates/ports.ts';
import { changeTemplate, createTemplate, templateRules } from '../app/templates/write-templates.ts';
import { pageBody, respond } from './response.ts';
import { savedCommand } from './saved-command.ts';

export function templateRoutes(ports: TemplatePorts): BoundRoute[] {
  const { templates } = ports;
  return [
    bind(tasksRoutes.listTaskTemplates, async ({ actor, query: { cursor, limit } }) => {
      const cursors = listCursors('id', { name: 'templates', filter: { reader: actor.id } });
      const page = await templates.list(actor.id, { after: cursors.decode(cursor), limit });
      return response(200, pageBody(tasksRoutes.listTaskTemplates.responses[200], page, cursors));
    }),
    bind(tasksRoutes.createTaskTemplate, async ({ actor, body: content, idempotent: request }) =>
      respond(tasksRoutes.createTaskTemplate, 201, await createTemplate(ports, { actor, content, request })),
    ),
    bind(tasksRoutes.getTaskTemplate, async ({ actor, params }) => {
      const template = await templates.read(params.id, actor.id);
      if (template === undefined) throw templateRules.missing();
      return respond(tasksRoutes.getTaskTemplate, 200, template);
    }),
    bind(tasksRoutes.changeTaskTemplate, async ({ body: change, ...request }) =>
      respond(tasksRoutes.changeTaskTemplate, 200, await changeTemplate(ports, { ...savedCommand(request), change })),
    ),
    bind(tasksRoutes.deleteTaskTemplate, async (request) => {
      await templateRules.remove({ tasks: ports.tasks, store: templates }, savedCommand(request));
      return response(204);
    }),
    bind(tasksRoutes.instantiateTaskTemplate, async ({ actor, params, body, idempotent: request }) => {
      const { values, project_id: projectId = null } = body;
      const command = { actor, templateId: params.id, values, projectId, request };
      const created = await instantiateTemplate(ports, command);
      for (const { id } of (JSON.parse(created.text) as { data: { id: string }[] }).data) addLogTask(id);
      return respond(tasksRoutes.instantiateTaskTemplate, 201, created);
    }),
  ];
}
