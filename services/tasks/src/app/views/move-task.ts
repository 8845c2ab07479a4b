import type { Tx } from '@taskwire/postgres';
import { invalidField } from '../../domain/invalid-field.ts';
import { readerOf } from '../../domain/projects/reader.ts';
import type { Actor } from '../../domain/task.ts';
import { noSuchTask } from '../load-for-update.ts';
import { shownTasks } from './list-of-view.ts';
import { placeInGap, placeOthers } from './manual-order.ts';
import type { View, ViewPorts } from './ports.ts';

export type Move = {
  actor: Actor;
  taskId: string;
  viewId: string;
  /** The task beside which the task is put, and the field of the request that names it. */
  beside: { id: string; field: 'before_id' | 'after_id' };
};

/**
 * Moves a task within a view in manual order, and returns its position. The lock of the view serialises concurrent moves into one gap.
 * @throws Problem `not_found` for the task, `invalid_input` that names the field for anything else.
 */
export async function moveTask(
  { tasks, views, positions }: ViewPorts,
  { actor, taskId, viewId, beside: { id, field } }: Move,
): Promise<string> {
  const task = await tasks.readTask(taskId, readerOf(actor));
  if (task === undefined || task.isDeleted) throw noSuchTask();
  if (id === taskId) throw invalidField(field, 'same_task', 'must name another task');
  const lockView = async (tx: Tx): Promise<View> => {
    const view = await views.lock(tx, viewId);
    if (view === undefined || (view.creatorId !== actor.id && !view.shared))
      throw invalidField('view_id', 'unknown_view', 'must be the id of a view that you can read');
    if (view.sort !== 'manual')
      throw invalidField('view_id', 'not_manual', 'must name a view in manual order: change its sort to manual');
    const shown = await positions.among(tx, shownTasks(view, actor), [taskId, id]);
    if (!shown.includes(taskId)) throw invalidField('view_id', 'not_in_view', 'must name a view that shows the task');
    if (!shown.includes(id)) throw notInView(field);
    return view;
  };
  /** Returns undefined if the other task has no position. */
  const moveBeside = async (tx: Tx): Promise<string | undefined> => {
    const key = await positions.keyOf(tx, viewId, id);
    const side = field === 'after_id' ? 'after' : 'before';
    return key && (await placeInGap(positions, tx, { viewId, taskId, beside: { id, key }, side }));
  };
  const moved = await tasks.transaction(async (tx) => {
    await lockView(tx);
    return await moveBeside(tx);
  });
  if (moved !== undefined) return moved;
  // the other task may have come into the view after the switch to manual order
  return await positions.inTurn(
    async () =>
      await tasks.transaction(async (tx) => {
        await placeOthers(positions, tx, await lockView(tx), actor);
        const key = await moveBeside(tx);
        // a view shows more tasks than get positions at once
        if (key === undefined) throw notInView(field);
        return key;
      }),
  );
}

function notInView(field: Move['beside']['field']) {
  return invalidField(field, 'not_in_view', 'must name a task that the view shows');
}
