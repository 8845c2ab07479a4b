import type { Reader } from '../domain/projects/reader.ts';
import type { FilterNode } from '../domain/search/filter-tree.ts';
import type { TextQuery } from '../domain/search/text-query.ts';
import type { Priority, Task, TaskState } from '../domain/task.ts';

/** The tasks of a list: those that the reader may read and that match every given filter, in this order. */
export type TaskList<O extends TaskOrder = TaskOrder> = {
  reader: Reader;
  filter: TaskFilter;
  order: O;
  /** Whether the tasks have `stats`. */
  withStats?: boolean;
};

export type TaskFilter = {
  state?: TaskState | undefined;
  /** A user's id; `none` for unassigned tasks. */
  assignee?: string | undefined;
  creator?: string | undefined;
  /**
   * `is: true`: only tasks assigned to this user. `is: false`: only tasks assigned to other users, and unassigned
   * tasks.
   */
  mine?: { userId: string; is: boolean } | undefined;
  kind?: Task['kind'] | undefined;
  /** Selects deleted tasks only; without it, the list has none of them. */
  isDeleted?: true | undefined;
  /** A project's id; `none` for tasks outside of projects. */
  project?: string | undefined;
  /** The id of the tasks' parent; `none` for tasks without one. */
  parent?: string | undefined;
  /** Whether a blocker that has not ended exists. */
  isBlocked?: boolean | undefined;
  /** The id of a task: selects its blockers, including those that have ended. */
  blocks?: string | undefined;
  /** The id of a task: selects the tasks that wait for it. */
  blockedBy?: string | undefined;
  priority?: Priority | undefined;
  anyLabel?: readonly string[] | undefined;
  allLabels?: readonly string[] | undefined;
  /** Instants in UTC. `dueBefore` is exclusive, `dueAfter` inclusive. */
  dueBefore?: string | undefined;
  dueAfter?: string | undefined;
  text?: TextQuery | undefined;
  tree?: FilterNode | undefined;
};

/**
 * Tasks without a due date come last in both directions. Ties are broken by id, in the same direction. `relevance` is for a
 * filter with a text, and returns only the best `mostRelevant` tasks.
 */
export type TaskOrder = FieldOrder | typeof byRelevance | ManualOrder;

export type FieldOrder = { by: 'created_at' | 'updated_at' | 'due_at' | 'priority'; direction: 'ASC' | 'DESC' };

/** The order that users gave to the tasks of a view. Tasks without a position come last, the latest first. */
export type ManualOrder = { by: 'manual'; direction: 'ASC'; viewId: string };

export const byRelevance = { by: 'relevance', direction: 'DESC' } as const;

/** The number of tasks in a list by relevance. Few people read further, and all matches would have to be ranked again for each page. */
export const mostRelevant = 200;

export const latestFirst: FieldOrder = { by: 'created_at', direction: 'DESC' };

type Sorting = { sort?: string | null | undefined; q?: string | null | undefined };

/** The order of a list: as given, or by relevance for a text, and otherwise the latest first. */
export function orderOf({ sort, q }: Sorting): FieldOrder | typeof byRelevance {
  if (sort === 'relevance' || (sort == null && q != null)) return byRelevance;
  if (sort == null || sort === '-created_at') return latestFirst;
  const isReversed = sort.startsWith('-');
  return { by: (isReversed ? sort.slice(1) : sort) as FieldOrder['by'], direction: isReversed ? 'DESC' : 'ASC' };
}
