import { problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import { noChange } from '../domain/change.ts';
import { requirePlace } from '../domain/links/parents.ts';
import { authorize } from '../domain/permissions.ts';
import { readerOf } from '../domain/projects/reader.ts';
import { departureOf, restore, returnsUnfinished, type FormerAssignee } from '../domain/restoration.ts';
import type { Actor, Task } from '../domain/task.ts';
import type { LinkStore } from './links/ports.ts';
import { loadForUpdate, type TaskCommand } from './load-for-update.ts';
import type { DeletableTask, Document, IdempotentRequest, TaskStore, WriteResult } from './ports.ts';

type Ports = { tasks: TaskStore; links: LinkStore };
type Command = TaskCommand & { request: IdempotentRequest | undefined };

/**
 * Restores a deleted task, with the tasks that were deleted with it. A task that is not deleted stays as it is.
 * @throws Problem `illegal_transition` while a task above it is deleted by another deletion; `too_many_links` while its parent has no room for it.
 */
export async function restoreTask({ tasks, links }: Ports, command: Command): Promise<WriteResult> {
  const { request } = command;
  try {
    return await tasks.once(request, async (tx) => await restoreAlone(tasks, tx, command));
  } catch (error) {
    if (!(error instanceof MayHaveRelatives)) throw error;
    return await tasks.once(request, async (tx) => await restoreDeletion({ tasks, links }, tx, command));
  }
}

/** Rolls back a transaction that turns out to need the lock of the graph, which comes before the lock of the task. */
class MayHaveRelatives extends Error {}

async function restoreAlone(tasks: TaskStore, tx: Tx, command: Command): Promise<Document> {
  const { actor } = command;
  const locks = { lockTask: tasks.lockTaskOrDeleted };
  const task = await loadForUpdate(locks, tx, command, (found) => authorize('restore', actor, found));
  if (!task.is_deleted) return await tasks.applyChange(tx, task, noChange, actor.id);
  if (task.is_linked || task.parent_id !== null) throw new MayHaveRelatives();
  const former = await formerAssignees(tasks, tx, [task]);
  return await tasks.applyChange(tx, task, restore(task, former.get(task.id), null), actor.id);
}

/** Restores the tasks of one deletion. The actor needs permission for its root, as for the deletion. */
async function restoreDeletion({ tasks, links }: Ports, tx: Tx, command: Command): Promise<Document> {
  const { actor, taskId } = command;
  await links.lockGraph(tx);
  const { deletion, parent } = await tasks.lockDeletion(tx, taskId, readerOf(actor));
  const lockTask = async () => deletion.get(taskId);
  const task = await loadForUpdate({ lockTask }, tx, command, (found) => {
    authorize('restore', actor, deletion.get(found.deletion_id ?? found.id) ?? found);
  });
  const root = deletion.get(task.deletion_id ?? task.id) ?? task;
  if (root.is_below_deleted && !root.is_left_behind)
    throw problem('illegal_transition', 'A task above this one is deleted. Restore that task first.');
  if (task.is_deleted) await applyRestoration({ tasks, links }, tx, { actor, deletion, root, parent });
  return await tasks.applyChange(tx, task, noChange, actor.id);
}

type Restoration = {
  actor: Actor;
  deletion: ReadonlyMap<string, DeletableTask>;
  root: DeletableTask;
  parent: DeletableTask | undefined;
};

/** Restores the tasks of a deletion. Its root returns to its parent by the rules for a new sub-task, or leaves it. */
async function applyRestoration(
  { tasks, links }: Ports,
  tx: Tx,
  { actor, deletion, root, parent }: Restoration,
): Promise<void> {
  const departure = departureOf(root, parent);
  if (departure === null && parent !== undefined && returnsUnfinished(root))
    requirePlace(await links.readPlace(tx, { taskId: root.id, parentId: parent.id }));
  const former = await formerAssignees(tasks, tx, [...deletion.values()]);
  const changes = [...deletion.values()].map(
    (one) => [one, restore(one, former.get(one.id), one === root ? departure : null)] as const,
  );
  await tasks.applyChanges(tx, changes, actor.id);
}

/** Also locks the former assignees, so that they stay performers until the tasks are assigned to them. */
async function formerAssignees(
  tasks: TaskStore,
  tx: Tx,
  deleted: readonly Pick<Task, 'id' | 'project_id'>[],
): Promise<Map<string, FormerAssignee>> {
  const ids = deleted.map(({ id }) => id);
  const former = await tasks.assigneesBeforeDeletion(tx, ids);
  // tasks that were deleted together are in one project
  const projectId = deleted[0]?.project_id ?? null;
  const eligibilities = new Map<string, FormerAssignee['eligibility']>();
  // in the order of their ids, like every transaction that locks several users
  for (const id of [...new Set(former.values())].toSorted())
    eligibilities.set(id, await tasks.lockEligibility(tx, id, projectId));
  return new Map([...former].map(([taskId, id]) => [taskId, { id, eligibility: eligibilities.get(id) ?? 'unknown' }]));
}
