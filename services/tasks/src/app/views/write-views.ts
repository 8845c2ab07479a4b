import type { Tx } from '@taskwire/postgres';
import { invalidField } from '../../domain/invalid-field.ts';
import { readFilterTree } from '../../domain/search/filter-tree.ts';
import { readTextQuery } from '../../domain/search/text-query.ts';
import type { Actor } from '../../domain/task.ts';
import type { Document, IdempotentRequest, WriteResult } from '../ports.ts';
import { savedRules, withChange, type SavedCommand } from '../saved/rules.ts';
import { startManualOrder } from './manual-order.ts';
import type { ViewContent, ViewPorts, ViewSchema } from './ports.ts';

export const viewRules = savedRules({ noun: 'view', tooMany: 'too_many_views' });

type ViewChange = { [Field in keyof ViewContent]?: ViewContent[Field] | undefined };

/** @throws Problem `too_many_views`, and what a search with this content throws. */
export async function createView(
  { tasks, views, positions }: ViewPorts,
  { actor, content, request }: { actor: Actor; content: ViewContent; request: IdempotentRequest | undefined },
): Promise<WriteResult<ViewSchema>> {
  const create = async (tx: Tx) => {
    await requireSearch(tasks, tx, { content, actor });
    await viewRules.requireRoom(views, tx, actor);
    const created = await views.insert(tx, actor.id, content);
    if (content.sort === 'manual') {
      const view = { ...content, id: (JSON.parse(created.text) as { id: string }).id };
      await startManualOrder(positions, tx, { view, before: { sort: null, q: content.q }, actor });
    }
    return created;
  };
  const createOnce = async () => await tasks.once<ViewSchema>(request, create);
  return content.sort === 'manual' ? await positions.inTurn(createOnce) : await createOnce();
}

/** Changes the given fields. The same content is a new version, too. A view that is switched to manual order keeps its previous order. */
export async function changeView(
  { tasks, views, positions }: ViewPorts,
  { change, ...command }: SavedCommand & { change: ViewChange },
): Promise<Document<ViewSchema>> {
  const apply = async (tx: Tx) => {
    const { id, creatorId: _, version: __, ...before } = await viewRules.lockToChange(views, tx, command);
    const content = withChange<ViewContent>(before, change);
    await requireSearch(tasks, tx, { content, actor: command.actor });
    if (content.sort === 'manual' && before.sort !== 'manual')
      await startManualOrder(positions, tx, { view: { ...content, id }, before, actor: command.actor });
    if (content.sort !== 'manual' && before.sort === 'manual') await positions.clear(tx, id);
    return await views.update(tx, id, content);
  };
  const changeIt = async () => await tasks.transaction(apply);
  return change.sort === 'manual' ? await positions.inTurn(changeIt) : await changeIt();
}

/** Validates the search of a view before it is saved: otherwise someone else would find out later that it fails. */
async function requireSearch(
  tasks: ViewPorts['tasks'],
  tx: Tx,
  { content: { filter, q, sort }, actor }: { content: ViewContent; actor: Actor },
): Promise<void> {
  if (filter !== null) readFilterTree(filter, { callerId: actor.id, now: Date.now() });
  if (q !== null) await tasks.requireWords(tx, readTextQuery(q));
  if (sort === 'relevance' && q === null)
    throw invalidField('sort', 'invalid_value', 'must not be relevance without q');
}
