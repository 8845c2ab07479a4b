import { problem, type Problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import type { Actor } from '../../domain/task.ts';
import { requireConsistent } from '../../domain/templates/template.ts';
import type { IdempotentRequest, WriteResult } from '../ports.ts';
import type { Template, TemplateContent, TemplateDocument, TemplatePorts, TemplateSchema } from './ports.ts';

/** As many as views. */
const mostTemplates = 100;

/** A user's command on one template. `requireVersion` throws when the caller expects another version. */
export type TemplateCommand = { actor: Actor; templateId: string; requireVersion: (version: number) => void };

type Change = { [Field in keyof TemplateContent]?: TemplateContent[Field] | undefined };

/** @throws Problem `too_many_templates`, and what `requireConsistent` throws. */
export async function createTemplate(
  { tasks, templates }: TemplatePorts,
  { actor, content, request }: { actor: Actor; content: TemplateContent; request: IdempotentRequest | undefined },
): Promise<WriteResult<TemplateSchema>> {
  requireConsistent(content);
  return await tasks.once<TemplateSchema>(request, async (tx) => {
    if ((await templates.count(tx, actor.id)) >= mostTemplates)
      throw problem('too_many_templates', `A user can have ${mostTemplates} templates. Delete one of them first.`);
    return await templates.insert(tx, actor.id, content);
  });
}

/** Changes the given fields, as a new version. @throws what `requireConsistent` throws for the result. */
export async function changeTemplate(
  { tasks, templates }: TemplatePorts,
  { change, ...command }: TemplateCommand & { change: Change },
): Promise<TemplateDocument> {
  return await tasks.transaction(async (tx) => {
    const { id, creatorId, version: _, ...before } = await lockTemplate(templates, tx, command);
    if (creatorId !== command.actor.id) throw problem('forbidden', 'Only its creator can change a template.');
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
    const content: TemplateContent = { ...before, ...given };
    requireConsistent(content);
    return await templates.update(tx, id, content);
  });
}

export async function deleteTemplate({ tasks, templates }: TemplatePorts, command: TemplateCommand): Promise<void> {
  const { actor } = command;
  await tasks.transaction(async (tx) => {
    const { id, creatorId } = await lockTemplate(templates, tx, command);
    if (creatorId !== actor.id && actor.role !== 'admin')
      throw problem('forbidden', 'Only its creator and admins can delete a template.');
    await templates.remove(tx, id);
  });
}

async function lockTemplate(
  templates: TemplatePorts['templates'],
  tx: Tx,
  { actor, templateId, requireVersion }: TemplateCommand,
): Promise<Template> {
  const template = await templates.lock(tx, templateId);
  if (template === undefined || (template.creatorId !== actor.id && !template.shared)) throw noSuchTemplate();
  requireVersion(template.version);
  return template;
}

export function noSuchTemplate(): Problem {
  return problem('not_found', 'There is no template with this id, or it is not shared.');
}
