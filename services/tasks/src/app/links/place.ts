import type { Tx } from '@taskwire/postgres';
import { pathOfWaits } from '../../domain/links/cycle.ts';
import { tooMany } from '../../domain/links/dependencies.ts';
import { requireParent, requirePlace, requireSameProject, unknownParent } from '../../domain/links/parents.ts';
import { readerOf } from '../../domain/projects/reader.ts';
import { hasEnded, type ActedTask, type Actor, type Task } from '../../domain/task.ts';
import { cycle } from './problems.ts';
import type { LinkStore } from './ports.ts';

/**
 * Checks that a new task may be a sub-task of this parent, and locks and returns the parent.
 * @throws what `requireParent` and `requirePlace` throw; Problem `unknown_parent`.
 */
export async function placeNewTask(links: LinkStore, tx: Tx, actor: Actor, parentId: string): Promise<ActedTask> {
  await links.lockGraph(tx);
  const parent = (await links.lockTasks(tx, [parentId], readerOf(actor))).get(parentId);
  if (parent === undefined) throw unknownParent();
  requireParent(actor, parent);
  requirePlace(await links.readPlace(tx, { taskId: null, parentId }));
  if (!parent.is_linked) await links.markLinked(tx, parentId);
  return parent;
}

/**
 * Checks that a task may become a sub-task of this parent. The transaction holds the lock of the graph and has locked both.
 * @throws what `requireParent`, `requirePlace` and `requireSameProject` throw; Problem `unknown_parent`, `task_cycle`, `dependency_cycle`.
 */
export async function placeTask(
  links: LinkStore,
  tx: Tx,
  actor: Actor,
  { task, parent }: { task: Task; parent: ActedTask | undefined },
): Promise<void> {
  if (parent === undefined) throw unknownParent();
  requireParent(actor, parent);
  requireSameProject(task, parent);
  const { ancestors, openSubtasks, levels } = await links.readPlace(tx, { taskId: task.id, parentId: parent.id });
  const own = ancestors.indexOf(task.id);
  if (own !== -1) {
    const path = ancestors.slice(0, own + 1).toReversed();
    throw await cycle(links, tx, { code: 'task_cycle', path, reader: readerOf(actor) });
  }
  requirePlace({ ancestors, levels, openSubtasks: hasEnded(task.state) ? 0 : openSubtasks });
  await requireNoCycle(links, tx, { from: task, to: parent.id, actor });
  if (!parent.is_linked) await links.markLinked(tx, parent.id);
}

/**
 * Checks that `to` may wait for `from`.
 * @throws Problem `dependency_cycle` if `from` waits for `to` already; `too_many_links` if it waits for too many tasks to find out.
 */
export async function requireNoCycle(
  links: LinkStore,
  tx: Tx,
  { from, to, actor }: { from: Task; to: string; actor: Actor },
): Promise<void> {
  if (from.id !== to && (!from.is_linked || hasEnded(from.state))) return;
  const waits = from.id === to ? [] : await links.readWaits(tx, from.id);
  if (waits === undefined) throw tooMany('The task waits, directly and indirectly, for too many tasks.');
  const path = pathOfWaits(waits, from.id, to);
  if (path !== undefined) throw await cycle(links, tx, { code: 'dependency_cycle', path, reader: readerOf(actor) });
}
