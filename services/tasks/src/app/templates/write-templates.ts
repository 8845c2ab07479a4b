import { requireConsistent } from '../../domain/templates/template.ts';
import type { Actor } from '../../domain/task.ts';
import type { Document, IdempotentRequest, WriteResult } from '../ports.ts';
import { savedRules, withChange, type SavedCommand } from '../saved/rules.ts';
import type { TemplateContent, TemplatePorts, TemplateSchema } from './ports.ts';

export const templateRules = savedRules({ noun: 'template', tooMany: 'too_many_templates' });

type Change = { [Field in keyof TemplateContent]?: TemplateContent[Field] | undefined };

/** @throws Problem `too_many_templates`, and what `requireConsistent` throws. */
export async function createTemplate(
  { tasks, templates }: TemplatePorts,
  { actor, content, request }: { actor: Actor; content: TemplateContent; request: IdempotentRequest | undefined },
): Promise<WriteResult<TemplateSchema>> {
  requireConsistent(content);
  return await tasks.once<TemplateSchema>(request, async (tx) => {
    await templateRules.requireRoom(templates, tx, actor);
    return await templates.insert(tx, actor.id, content);
  });
}

/** Changes the given fields, as a new version. @throws what `requireConsistent` throws for the result. */
export async function changeTemplate(
  { tasks, templates }: TemplatePorts,
  { change, ...command }: SavedCommand & { change: Change },
): Promise<Document<TemplateSchema>> {
  return await tasks.transaction(async (tx) => {
    const { id, creatorId: _, version: __, ...before } = await templateRules.lockToChange(templates, tx, command);
    const content = withChange<TemplateContent>(before, change);
    requireConsistent(content);
    return await templates.update(tx, id, content);
  });
}
