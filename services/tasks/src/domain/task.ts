/** The states of a task. Open ones, which somebody has to carry out, are `assigned` and `in_progress`. */
export type TaskState = 'draft' | 'assigned' | 'in_progress' | 'completed' | 'cancelled';

export type Priority = 'low' | 'normal' | 'high' | 'urgent';

export type Role = 'admin' | 'manager' | 'member';

/** Who does something to a task. */
export type Person = { id: string; role: Role };

/** What people write into a task; its state and its performer change by rules of their own. */
export type TaskFields = {
  title: string;
  description: string;
  priority: Priority;
  /** UTC with microseconds, see `utcInstant`. */
  due_at: string | null;
  labels: readonly string[];
};

/** A task as it is stored, without its times, which belong to the database. */
export type Task = TaskFields & {
  id: string;
  state: TaskState;
  creator_id: string;
  /** The performer; of a completed or cancelled task the last one. A draft has none. */
  assignee_id: string | null;
  /** A draft that lost its performer when nobody else was there; assigned as soon as somebody is. */
  awaiting_performer: boolean;
  version: number;
};

/** Whether somebody has the task to do. */
export function isOpen(state: TaskState): boolean {
  return state === 'assigned' || state === 'in_progress';
}
