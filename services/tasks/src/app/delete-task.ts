import { problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import { remove } from '../domain/content.ts';
import { mostDeleted } from '../domain/links/limits.ts';
import { authorize } from '../domain/permissions.ts';
import { readerOf } from '../domain/projects/reader.ts';
import type { LinkStore } from './links/ports.ts';
import { loadForUpdate, loadToEnd, type TaskCommand } from './load-for-update.ts';
import type { TaskStore } from './ports.ts';

type Ports = { tasks: TaskStore; links: LinkStore };

/**
 * Soft-deletes a task and its sub-tasks at all levels. The hidden rows stay in the database, with the id of this task as their `deletion_id`. Their
 * jobs are cancelled.
 */
export async function deleteTask({ tasks, links }: Ports, command: TaskCommand): Promise<void> {
  try {
    await tasks.transaction(async (tx) => await deleteAlone(tasks, tx, command));
  } catch (error) {
    if (!(error instanceof MayHaveSubtasks)) throw error;
    await tasks.transaction(async (tx) => await deleteSubtree({ tasks, links }, tx, command));
  }
}

/** Rolls back a transaction that turns out to need the lock of the graph, which comes before the lock of the task. */
class MayHaveSubtasks extends Error {}

async function deleteAlone(tasks: TaskStore, tx: Tx, command: TaskCommand): Promise<void> {
  const { actor } = command;
  const task = await loadToEnd(tasks, tx, command, (found) => authorize('delete', actor, found));
  if (task.is_linked) throw new MayHaveSubtasks();
  await tasks.cancelJobOf(tx, task, actor.id);
  await tasks.applyChange(tx, task, remove(task), actor.id);
}

async function deleteSubtree({ tasks, links }: Ports, tx: Tx, command: TaskCommand): Promise<void> {
  const { actor, taskId } = command;
  await links.lockGraph(tx);
  const ids = await links.listSubtree(tx, taskId, mostDeleted + 1);
  if (ids.length > mostDeleted)
    throw problem(
      'subtree_too_large',
      `A deletion takes at most ${mostDeleted} tasks. Delete some of its sub-tasks first.`,
    );
  const subtree = await links.lockTasksToEnd(tx, ids, readerOf(actor));
  const lockTask = async () => subtree.get(taskId);
  await loadForUpdate({ lockTask }, tx, command, (found) => authorize('delete', actor, found));
  for (const task of subtree.values()) await tasks.cancelJobOf(tx, task, actor.id);
  const changes = [...subtree.values()].map((task) => [task, remove(task, taskId)] as const);
  await tasks.applyChanges(tx, changes, actor.id);
}
