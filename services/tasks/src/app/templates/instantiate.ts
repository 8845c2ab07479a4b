import { byUser } from '../../domain/creation.ts';
import type { JsonText, templateRoutes } from '@taskwire/contracts';
import { defaultReminder } from '../../domain/due-date.ts';
import { addition } from '../../domain/links/dependencies.ts';
import { addInZone, parseDuration } from '../../domain/schedules/duration.ts';
import { utcInstant } from '../../domain/instant.ts';
import type { Actor } from '../../domain/task.ts';
import { fillIn } from '../../domain/templates/placeholders.ts';
import type { TemplateTask } from '../../domain/templates/template.ts';
import type { Document, IdempotentRequest, NewTask, WriteResult } from '../ports.ts';
import { enterProject } from '../projects/place-in-project.ts';
import type { TemplatePorts } from './ports.ts';
import { templateRules } from './write-templates.ts';

type CreatedSchema = (typeof templateRoutes.instantiateTaskTemplate.responses)[201];

type Command = {
  actor: Actor;
  templateId: string;
  values: Readonly<Record<string, string>>;
  projectId: string | null;
  request: IdempotentRequest | undefined;
};

/**
 * Creates the tasks of a template and their dependencies in one transaction that holds the lock of the graph. The template was checked when it was
 * saved, and nothing else can refer to tasks that did not exist before, so their graph needs no further check.
 * @throws Problem `not_found`; `rate_limited`; what `fillIn` and `enterProject` throw.
 */
export async function instantiateTemplate(
  { tasks, links, projects, templates, creations }: TemplatePorts,
  { actor, templateId, values, projectId, request }: Command,
): Promise<WriteResult<CreatedSchema>> {
  // read before the transaction, which would need a second connection; judged in it, because a repeated key gets the first response whatever changed
  const template = await templates.find(templateId, actor.id);
  return await tasks.once<CreatedSchema>(request, async (tx) => {
    if (template === undefined) throw templateRules.missing();
    const [root, ...others] = fillIn([{ ...template.task, parent: null }, ...template.subtasks], values);
    if (root === undefined) throw new Error('the template has no task');
    for (const _ of [root, ...others]) creations.take(actor.id);
    const now = Date.now();
    await enterProject(projects, tx, { actor, projectId });
    await links.lockGraph(tx);
    const created: { id: string; text: string }[] = [];
    const idOf = (index: number): string => {
      const found = created[index];
      if (found === undefined) throw new Error(`the template has no task ${index}`);
      return found.id;
    };
    for (const { parent, ...task } of [root, ...others]) {
      const parentId = parent === null ? null : idOf(parent);
      created.push(identified(await tasks.insertTask(tx, newTask(task, { actor, parentId, projectId, now }), byUser)));
    }
    for (const parent of new Set(others.map((one) => one.parent))) await links.markLinked(tx, idOf(parent ?? 0));
    for (const { blocker, blocked } of template.blocks) {
      const blockerId = idOf(blocker);
      const edge = { taskId: idOf(blocked), blockerId, change: addition(blockerId), actorId: actor.id };
      await links.addDependency(tx, edge);
    }
    const body = `{"id":"${idOf(0)}","data":[${created.map(({ text }) => text).join(',')}]}`;
    return { text: body as JsonText<CreatedSchema> };
  });
}

function newTask(
  { due_in, ...content }: TemplateTask,
  o: { actor: Actor; parentId: string | null; projectId: string | null; now: number },
): NewTask {
  const wait = due_in === null ? undefined : parseDuration(due_in);
  const due = wait && new Date(addInZone(o.now, wait, 'UTC')).toISOString();
  return {
    ...content,
    due_at: due === undefined ? null : utcInstant(due),
    ...{ due_time_zone: null, due_all_day: false, remind_before: defaultReminder },
    ...{ creator_id: o.actor.id, assignee_id: null, parent_id: o.parentId, project_id: o.projectId },
  };
}

function identified({ text }: Document): { id: string; text: string } {
  return { id: (JSON.parse(text) as { id: string }).id, text };
}
