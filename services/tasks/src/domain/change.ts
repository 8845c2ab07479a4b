import type { Task } from './task.ts';

/** An event of a task, without the fields that every one has (`task_uuid`, `timestamp`, `actor`). */
export type TaskEvent =
  | { type: 'tasks.task.created' | 'tasks.task.changed' | 'tasks.task.deleted' }
  | { type: 'tasks.task.assigned'; assigned_to: string }
  | { type: 'tasks.task.unassigned'; unassigned_from: string }
  | { type: 'tasks.task.started' | 'tasks.task.completed' | 'tasks.task.cancelled'; assigned_to: string | null };

/** An entry of the activity log, without who and when. */
export type LogEntry = {
  action: 'created' | 'changed' | 'assigned' | 'unassigned' | 'started' | 'completed' | 'cancelled' | 'deleted';
  field: string | null;
  from: unknown;
  to: unknown;
  reason: string | null;
};

/** Everything that one step does to a task: what is stored, told and remembered, in one transaction. */
export type Change = {
  set: Partial<Omit<Task, 'id' | 'version' | 'creator_id'>> & { is_deleted?: true };
  /** In the order in which they are published. */
  events: readonly TaskEvent[];
  /** In the order in which they happened. */
  log: readonly LogEntry[];
};

/** What a request leaves behind that asks for what is already so: no new version, no event, no entry. */
export const noChange: Change = Object.freeze({ set: {}, events: [], log: [] });
