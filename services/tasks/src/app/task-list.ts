import type { Priority, Task, TaskState } from '../domain/task.ts';

/** The tasks of a list, which match every filter that is given, and their order. */
export type TaskList = { filter: TaskFilter; order: TaskOrder };

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
  priority?: Priority | undefined;
  anyLabel?: readonly string[] | undefined;
  allLabels?: readonly string[] | undefined;
  /** Instants in UTC. `dueBefore` is exclusive, `dueAfter` inclusive. */
  dueBefore?: string | undefined;
  dueAfter?: string | undefined;
};

/** Tasks without a due date come last in both directions. Equal tasks are in the order of their ids, in the same direction. */
export type TaskOrder = { by: 'created_at' | 'updated_at' | 'due_at' | 'priority'; direction: 'ASC' | 'DESC' };

export const latestFirst: TaskOrder = { by: 'created_at', direction: 'DESC' };
