import type { Task } from './task.ts';

/** An event of a task, without the fields common to all events (`task_uuid`, `timestamp`, `actor`). */
export type TaskEvent =
  | { type: 'tasks.task.created' | 'tasks.task.changed' | 'tasks.task.deleted' }
  | { type: 'tasks.task.assigned'; assigned_to: string }
  | { type: 'tasks.task.unassigned'; unassigned_from: string }
  | { type: 'tasks.task.started' | 'tasks.task.completed' | 'tasks.task.cancelled'; assigned_to: string | null };

/** An activity log entry, without its actor and time. */
export type LogEntry = {
  action: 'created' | 'changed' | 'assigned' | 'unassigned' | 'started' | 'completed' | 'cancelled' | 'deleted';
  field: string | null;
  from: unknown;
  to: unknown;
  reason: string | null;
};

/**
 * Everything that one operation does to a task (new values, events and activity entries), stored in one transaction.
 */
export type Change = {
  set: Partial<Omit<Task, 'id' | 'version' | 'creator_id'>> & { is_deleted?: true };
  /** In publishing order. */
  events: readonly TaskEvent[];
  /** In chronological order. */
  log: readonly LogEntry[];
};

/** Result of a no-op request: no new version, no event, no activity entry. */
export const noChange: Change = Object.freeze({ set: {}, events: [], log: [] });
