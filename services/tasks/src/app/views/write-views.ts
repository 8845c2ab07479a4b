import { problem, type Problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import { invalidField } from '../../domain/invalid-field.ts';
import { readFilterTree } from '../../domain/search/filter-tree.ts';
import { readTextQuery } from '../../domain/search/text-query.ts';
import type { Actor } from '../../domain/task.ts';
import type { IdempotentRequest, WriteResult } from '../ports.ts';
import { startManualOrder } from './manual-order.ts';
import type { View, ViewContent, ViewDocument, ViewPorts, ViewSchema } from './ports.ts';

/** More than a person can keep apart, and few enough for one list. */
const mostViews = 100;

/** A user's command on one view. `requireVersion` throws when the caller expects another version. */
export type ViewCommand = { actor: Actor; viewId: string; requireVersion: (version: number) => void };

type ViewChange = { [Field in keyof ViewContent]?: ViewContent[Field] | undefined };

/** @throws Problem `too_many_views`, and what a search with this content throws. */
export async function createView(
  { tasks, views, positions }: ViewPorts,
  { actor, content, request }: { actor: Actor; content: ViewContent; request: IdempotentRequest | undefined },
): Promise<WriteResult<ViewSchema>> {
  requireSearch(content, actor);
  return await tasks.once<ViewSchema>(request, async (tx) => {
    if ((await views.count(tx, actor.id)) >= mostViews)
      throw problem('too_many_views', `A user can have ${mostViews} views. Delete one that is no longer needed.`);
    const created = await views.insert(tx, actor.id, content);
    if (content.sort === 'manual') {
      const view = { ...content, id: (JSON.parse(created.text) as { id: string }).id };
      await startManualOrder(positions, tx, { view, before: { sort: null, q: content.q }, actor });
    }
    return created;
  });
}

/** Changes the given fields. The same content is a new version, too. A view that is switched to manual order keeps the order that it had. */
export async function changeView(
  { tasks, views, positions }: ViewPorts,
  { change, ...command }: ViewCommand & { change: ViewChange },
): Promise<ViewDocument> {
  return await tasks.transaction(async (tx) => {
    const { id, name, shared, filter, q, sort, creatorId } = await lockView(views, tx, command);
    if (creatorId !== command.actor.id) throw forbidden('Only its creator can change a view.');
    const given = Object.entries(change).filter(([, value]) => value !== undefined);
    const content: ViewContent = { name, shared, filter, q, sort, ...Object.fromEntries(given) };
    requireSearch(content, command.actor);
    if (content.sort === 'manual' && sort !== 'manual')
      await startManualOrder(positions, tx, { view: { ...content, id }, before: { sort, q }, actor: command.actor });
    if (content.sort !== 'manual' && sort === 'manual') await positions.clear(tx, id);
    return await views.update(tx, id, content);
  });
}

export async function deleteView({ tasks, views }: ViewPorts, command: ViewCommand): Promise<void> {
  await tasks.transaction(async (tx) => {
    const { id, creatorId } = await lockView(views, tx, command);
    const { actor } = command;
    if (creatorId !== actor.id && actor.role !== 'admin')
      throw forbidden('Only its creator and admins can delete a view.');
    await views.remove(tx, id);
  });
}

async function lockView(
  views: ViewPorts['views'],
  tx: Tx,
  { actor, viewId, requireVersion }: ViewCommand,
): Promise<View> {
  const view = await views.lock(tx, viewId);
  if (view === undefined || (view.creatorId !== actor.id && !view.shared)) throw noSuchView();
  requireVersion(view.version);
  return view;
}

/** A view that could not be searched would be found out only later, by someone else. */
function requireSearch({ filter, q, sort }: ViewContent, { id: callerId }: Actor): void {
  if (filter !== null) readFilterTree(filter, { callerId, now: Date.now() });
  if (q !== null) readTextQuery(q);
  if (sort === 'relevance' && q === null)
    throw invalidField('sort', 'invalid_value', 'must not be relevance without q');
}

function forbidden(detail: string): Problem {
  return problem('forbidden', detail);
}

export function noSuchView(): Problem {
  return problem('not_found', 'There is no view with this id, or it is not shared.');
}
