import type { viewRoutes } from '@taskwire/contracts';
import type { Tx } from '@taskwire/postgres';
import type { TaskStore } from '../ports.ts';
import type { Saved, SavedStore } from '../saved/ports.ts';
import type { FieldOrder, TaskList } from '../task-list.ts';

export type ViewSchema = (typeof viewRoutes.getView.responses)[200];

/** The content of a view. `filter` is stored as it was sent. */
export type ViewContent = {
  name: string;
  shared: boolean;
  filter: Readonly<Record<string, unknown>> | null;
  q: string | null;
  sort: string | null;
};

export type View = Saved<ViewContent>;

/**
 * The positions of tasks in views in manual order, written only while the row of the view is locked. A position is a key; keys sort by their bytes.
 */
export type Positions = {
  /** Returns a new key between two others; null stands for an end of the view. */
  keyBetween(before: string | null, after: string | null): string;
  /** Returns several new keys, in order. */
  keysBetween(before: string | null, after: string | null, count: number): string[];
  /**
   * Runs a transaction that calls `idsOf` or `unplaced`, a few at a time, so that these never occupy all connections.
   * @throws Problem `search_busy` when it has waited too long.
   */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** The ids of the tasks of a list, in its order. @throws Problem `search_busy`. */
  idsOf(tx: Tx, list: TaskList<FieldOrder>, limit: number): Promise<string[]>;
  /** The ids of the tasks of a list that have no position in the view, the latest first. @throws Problem `search_busy`. */
  unplaced(tx: Tx, viewId: string, list: Omit<TaskList, 'order'>, limit: number): Promise<string[]>;
  /** Those of the tasks that a list has. @throws Problem `search_busy`. */
  among(tx: Tx, list: Omit<TaskList, 'order'>, ids: readonly string[]): Promise<string[]>;
  /** The position of a task, whether the view shows it or not. */
  keyOf(tx: Tx, viewId: string, taskId: string): Promise<string | undefined>;
  /** The position next to a key on one side, ignoring that of the task `except`. */
  neighbour(
    tx: Tx,
    viewId: string,
    o: { key: string; side: 'before' | 'after'; except: string },
  ): Promise<string | null>;
  /** The last position. */
  last(tx: Tx, viewId: string): Promise<string | null>;
  /** The ids of all tasks with a position, in order. */
  all(tx: Tx, viewId: string): Promise<string[]>;
  /** Stores the positions of tasks, replacing earlier ones. */
  place(tx: Tx, viewId: string, ids: readonly string[], keys: readonly string[]): Promise<void>;
  clear(tx: Tx, viewId: string): Promise<void>;
};

export type ViewPorts = {
  tasks: Pick<TaskStore, 'once' | 'transaction' | 'readTask' | 'listTasks' | 'requireWords'>;
  views: SavedStore<ViewContent, ViewSchema>;
  positions: Positions;
};
