import type { Tx } from '@taskwire/postgres';
import type { Wait } from '../../domain/links/cycle.ts';
import type { DependencyChange, DependencyCounts } from '../../domain/links/dependencies.ts';
import type { Hindrances } from '../../domain/links/hindrances.ts';
import type { Place } from '../../domain/links/parents.ts';
import type { NamedTask } from '../../domain/links/related.ts';
import type { Reader } from '../../domain/projects/reader.ts';
import type { ActedTask } from '../../domain/task.ts';

/**
 * The store of the graph of tasks: sub-tasks and dependencies. All functions run in a transaction. Locks are taken in this order: the assignment lock,
 * the graph, jobs, tasks by id, directory.
 */
export type LinkStore = {
  /** Waits for the lock of the graph and holds it until the transaction ends. Only its holder sets a parent or adds a dependency. */
  lockGraph(tx: Tx): Promise<void>;
  /** Locks the tasks that exist and that the reader may read. Returns them by id. */
  lockTasks(tx: Tx, ids: readonly string[], reader: Reader): Promise<Map<string, ActedTask>>;
  /** The ids of a task and the tasks below it, without deleted ones; at most `limit`. Requires the lock of the graph. */
  listSubtree(tx: Tx, rootId: string, limit: number): Promise<string[]>;
  /** Like `lockTasks`, for tasks that are about to end: first locks their jobs, and also locks the tasks that they block. */
  lockTasksToEnd(tx: Tx, ids: readonly string[], reader: Reader): Promise<Map<string, ActedTask>>;
  /** The place that a task would have as a sub-task of `parentId`. `taskId` is null for a new task. */
  readPlace(tx: Tx, o: { taskId: string | null; parentId: string }): Promise<Place>;
  /**
   * The waits of a task, of the tasks that it waits for, and so on. A task waits for its blockers and sub-tasks that have not ended, including
   * deleted ones, which may be restored. Undefined if there are too many.
   */
  readWaits(tx: Tx, taskId: string): Promise<Wait[] | undefined>;
  /** The open blockers and open sub-tasks of a task that this transaction has locked. */
  readHindrances(tx: Tx, taskId: string): Promise<Hindrances>;
  countDependencies(
    tx: Tx,
    o: { taskId: string; blockerId: string },
  ): Promise<DependencyCounts & { isStored: boolean }>;
  /** Adds a dependency between two locked tasks, with its event and activity entry. */
  addDependency(
    tx: Tx,
    o: { taskId: string; blockerId: string; change: DependencyChange; actorId: string },
  ): Promise<void>;
  /** Removes a dependency of a locked task, in the same way. Does nothing if there is none. */
  removeDependency(
    tx: Tx,
    o: { taskId: string; blockerId: string; change: DependencyChange; actorId: string },
  ): Promise<void>;
  /** Records that a locked task has sub-tasks. */
  markLinked(tx: Tx, taskId: string): Promise<void>;
  /** Returns the first of the given tasks that the reader may read, in this order; null for all of them. Every title in a problem comes from here. */
  nameTasks(tx: Tx, ids: readonly string[], o: { reader: Reader; limit: number | null }): Promise<NamedTask[]>;
};
