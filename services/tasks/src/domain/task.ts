import type { ProjectRole } from './projects/role.ts';

/** The states of a task. Open tasks, which still have to be done by an assignee, are `assigned` or `in_progress`. */
export type TaskState = 'draft' | 'assigned' | 'in_progress' | 'completed' | 'cancelled';

export type Priority = 'low' | 'normal' | 'high' | 'urgent';

export type Role = 'admin' | 'manager' | 'member';

/** A user who acts on a task. */
export type Actor = { id: string; role: Role };

const leaders: readonly Role[] = ['admin', 'manager'];

/** Whether users with this role lead all others: they assign tasks, and read every project. */
export function isLeader(role: Role): boolean {
  return leaders.includes(role);
}

/** The user-editable content of a task. State and assignee change by separate rules. */
export type TaskFields = {
  title: string;
  description: string;
  priority: Priority;
  /** UTC with microseconds, see `utcInstant`. */
  due_at: string | null;
  /** IANA name. */
  due_time_zone: string | null;
  /** Whether `due_at` is the end of a day in `due_time_zone`, see `changeDueDate`. */
  due_all_day: boolean;
  /** ISO 8601 duration. */
  remind_before: string;
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
  /** A worker carries out a task of kind `job`, which never has an assignee. */
  kind: 'task' | 'job';
  job_id: string | null;
  /** The project whose members read the task; null for a task that every user reads. */
  project_id: string | null;
  /** The task of which this is a sub-task. */
  parent_id: string | null;
  /** False for a task that never had a sub-task, a blocker or a task that it blocks. */
  is_linked: boolean;
  version: number;
};

/** Whether the state is final. */
export function hasEnded(state: TaskState): boolean {
  return state === 'completed' || state === 'cancelled';
}

/** A task on which a user acts, with what its project says about that. `project_role` is null for a user who is not a member. */
export type ActedTask = Task & { project_role: ProjectRole | null; project_is_archived: boolean };

/** Whether the task still has to be done by its assignee. */
export function isOpen(state: TaskState): boolean {
  return state === 'assigned' || state === 'in_progress';
}
