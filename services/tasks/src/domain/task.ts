/** The states of a task. Open tasks, which still have to be done by an assignee, are `assigned` or `in_progress`. */
export type TaskState = 'draft' | 'assigned' | 'in_progress' | 'completed' | 'cancelled';

export type Priority = 'low' | 'normal' | 'high' | 'urgent';

export type Role = 'admin' | 'manager' | 'member';

/** A user who acts on a task. */
export type Actor = { id: string; role: Role };

/** The user-editable content of a task. State and assignee change by rules of their own. */
export type TaskFields = {
  title: string;
  description: string;
  priority: Priority;
  /** UTC with microseconds, see `utcInstant`. */
  due_at: string | null;
  labels: readonly string[];
};

/** A task as stored, without its timestamps, which the database maintains. */
export type Task = TaskFields & {
  id: string;
  state: TaskState;
  creator_id: string;
  /** The assignee; the last one for a completed or cancelled task. A draft has none. */
  assignee_id: string | null;
  /** True for a draft that lost its performer when no other was eligible. It is assigned as soon as one is. */
  awaiting_performer: boolean;
  version: number;
};

/** Whether the task still has to be done by its assignee. */
export function isOpen(state: TaskState): boolean {
  return state === 'assigned' || state === 'in_progress';
}
