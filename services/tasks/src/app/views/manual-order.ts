import { problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import type { Actor } from '../../domain/task.ts';
import { latestFirst, orderOf } from '../task-list.ts';
import { shownTasks } from './list-of-view.ts';
import type { Positions, View, ViewContent } from './ports.ts';

/** Assigning positions to this many tasks takes about 0.2 s, during which the view is locked. People order far fewer by hand. */
const mostTasks = 10_000;
/** When a key would be longer, all tasks of the view get new, short keys. Otherwise a thousand moves into one gap would make keys of 169 bytes. */
const longestKey = 64;

/**
 * Gives a position to every task that the view shows, in the order that the view had before.
 * @throws Problem `view_too_large`, `search_busy`.
 */
export async function startManualOrder(
  positions: Positions,
  tx: Tx,
  {
    view,
    before,
    actor,
  }: { view: { id: string } & ViewContent; before: Pick<ViewContent, 'sort' | 'q'>; actor: Actor },
): Promise<void> {
  const order = orderOf(before);
  const list = { ...shownTasks(view, actor), order: order.by === 'relevance' ? latestFirst : order };
  const ids = await positions.idsOf(tx, list, mostTasks + 1);
  if (ids.length > mostTasks)
    throw problem('view_too_large', `A view in manual order can show ${mostTasks} tasks. Narrow its filter.`);
  await positions.clear(tx, view.id);
  await positions.place(tx, view.id, ids, positions.keysBetween(null, null, ids.length));
}

/** Gives positions to the shown tasks that have none: after all others, in the order in which they are shown. */
export async function placeOthers(positions: Positions, tx: Tx, view: View, actor: Actor): Promise<void> {
  const ids = await positions.unplaced(tx, view.id, shownTasks(view, actor), mostTasks);
  const last = await positions.last(tx, view.id);
  await positions.place(tx, view.id, ids, positions.keysBetween(last, null, ids.length));
}

type Gap = { viewId: string; taskId: string; beside: { id: string; key: string }; side: 'before' | 'after' };

/** Moves a task into the gap directly before or after another task. Returns its position. */
export async function placeInGap(positions: Positions, tx: Tx, gap: Gap): Promise<string> {
  const { viewId, taskId, beside, side } = gap;
  const other = await positions.neighbour(tx, viewId, { key: beside.key, side, except: taskId });
  const key = side === 'after' ? positions.keyBetween(beside.key, other) : positions.keyBetween(other, beside.key);
  if (key.length > longestKey) return await placeAll(positions, tx, gap);
  await positions.place(tx, viewId, [taskId], [key]);
  return key;
}

/** Gives new positions to all tasks, with the moved task in its gap. */
async function placeAll(positions: Positions, tx: Tx, { viewId, taskId, beside, side }: Gap): Promise<string> {
  const ids = (await positions.all(tx, viewId)).filter((id) => id !== taskId);
  const index = ids.indexOf(beside.id) + (side === 'after' ? 1 : 0);
  const ordered = ids.toSpliced(index, 0, taskId);
  const keys = positions.keysBetween(null, null, ordered.length);
  await positions.clear(tx, viewId);
  await positions.place(tx, viewId, ordered, keys);
  return keys[index] ?? '';
}
