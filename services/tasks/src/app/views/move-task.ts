import { jsonText, tasksRoutes } from '@taskwire/contracts';
import type { Tx } from '@taskwire/postgres';
import { invalidField } from '../../domain/invalid-field.ts';
import { readerOf } from '../../domain/projects/reader.ts';
import type { Actor } from '../../domain/task.ts';
import { noSuchTask } from '../load-for-update.ts';
import type { IdempotentRequest, WriteResult } from '../ports.ts';
import { shownTasks } from './list-of-view.ts';
import { placeInGap, placeOthers } from './manual-order.ts';
import type { View, ViewPorts } from './ports.ts';

export type Move = {
  actor: Actor;
  taskId: string;
  viewId: string;
  /** The task beside which the task is put, and the field of the request that names it. */
  beside: { id: string; field: 'before_id' | 'after_id' };
  request: IdempotentRequest | undefined;
};

const moved = tasksRoutes.moveTask.responses[200];
type MovedSchema = typeof moved;

/**
 * Moves a task within a view in manual order, and returns its position. The lock of the view serialises concurrent moves into one gap.
 * @throws Problem `not_found` for the task, `invalid_input` that names the field for anything else.
 */
export async function moveTask(
  { tasks, views, positions }: ViewPorts,
  { actor, taskId, viewId, beside: { id, field }, request }: Move,
): Promise<WriteResult<MovedSchema>> {
  // read before the transaction, which would need a second connection; judged in it, because a repeated key gets the first response
  const task = await tasks.readTask(taskId, readerOf(actor));
  const lockView = async (tx: Tx): Promise<View> => {
    if (task === undefined || task.isDeleted) throw noSuchTask();
    if (id === taskId) throw invalidField(field, 'same_task', 'must name another task');
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
  const documentOf = (position: string) => ({
    text: jsonText(moved, { view_id: viewId, task_id: taskId, position }),
  });
  try {
    return await tasks.once<MovedSchema>(request, async (tx) => {
      await lockView(tx);
      const position = await moveBeside(tx);
      if (position === undefined) throw new NeedsPositions();
      return documentOf(position);
    });
  } catch (error) {
    if (!(error instanceof NeedsPositions)) throw error;
  }
  return await positions.inTurn(
    async () =>
      await tasks.once<MovedSchema>(request, async (tx) => {
        await placeOthers(positions, tx, await lockView(tx), actor);
        const position = await moveBeside(tx);
        // a view shows more tasks than get positions at once
        if (position === undefined) throw notInView(field);
        return documentOf(position);
      }),
  );
}

/** Rolls back a transaction: the other task has no position, because it may have come into the view after the switch to manual order. */
class NeedsPositions extends Error {}

function notInView(field: Move['beside']['field']) {
  return invalidField(field, 'not_in_view', 'must name a task that the view shows');
}
