import type { Task } from './task.ts';

/** An event of a task, without the fields common to all events (`task_uuid`, `timestamp`, `actor`). */
export type TaskEvent =
  | { type: 'tasks.task.created' | 'tasks.task.changed' | 'tasks.task.deleted' | 'tasks.task.restored' }
  | { type: 'tasks.task.assigned'; assigned_to: string }
  | { type: 'tasks.task.unassigned'; unassigned_from: string }
  | { type: 'tasks.task.started' | 'tasks.task.completed' | 'tasks.task.cancelled'; assigned_to: string | null };

/** The figures on which the choice of a performer was based. */
export type ChoiceBasis = {
  /** The number of performers to choose from. */
  performers: number;
  /** The performers with the fewest open tasks, each with that number. */
  candidates: readonly { id: string; open_tasks: number }[];
};

/** Why a task has its performer, or has none. */
export type Grounds = {
  /** The explanation of the service; null if a user chose the performer. */
  reason: string | null;
  /** The reason that the user gave. */
  why?: string | undefined;
  /** Set if the service chose the performer by the number of open tasks. */
  choice?: ChoiceBasis | undefined;
};

/** An activity log entry, without its actor and time. */
export type LogEntry =
  | (Entry<'created' | 'deleted'> & { field: null; from: null; to: null })
  // names the field only if the restored task awaits a performer, and did not when it was deleted
  | (Entry<'restored'> & { field: 'awaiting_performer' | null; from: null; to: true | null })
  | (Entry<'changed'> & { field: string; from: unknown; to: unknown })
  | (Entry<'assigned'> & { field: 'assignee_id'; from: null; to: string })
  | (Entry<'unassigned'> & { field: 'assignee_id'; from: string; to: null })
  | (Entry<'started' | 'completed' | 'cancelled'> & { field: 'state'; from: string; to: string });

type Entry<A extends string> = Grounds & { action: A };

type NewValues = Partial<Omit<Task, 'id' | 'version' | 'creator_id' | 'kind' | 'job_id' | 'is_linked'>> & {
  is_deleted?: boolean;
  /** See the column of the same name. */
  deletion_id?: string;
};

/**
 * Everything that one operation does to a task (new values, events and activity entries), stored in one transaction.
 * Only `changeOf` makes one.
 */
export type Change = {
  set: NewValues;
  /** In publishing order. */
  events: readonly TaskEvent[];
  /** In chronological order. */
  log: readonly LogEntry[];
};

/** Result of a no-op request: no new version, no event, no activity entry. */
export const noChange: Change = Object.freeze({ set: {}, events: [], log: [] });

/** Makes the change with these activity entries and the events that follow from them. */
export function changeOf(task: Pick<Task, 'assignee_id'>, set: NewValues, log: readonly LogEntry[]): Change {
  return { set, events: eventsOf(log, task.assignee_id), log };
}

/**
 * The events that announce activity entries: one for each entry, with two exceptions. A creation is announced as
 * `created` and `changed`; the changed fields of one request are announced together. `assigneeId` is the assignee
 * before the change.
 */
function eventsOf(log: readonly LogEntry[], assigneeId: string | null): TaskEvent[] {
  return log.flatMap((entry, index): TaskEvent[] => {
    switch (entry.action) {
      case 'created':
        return [{ type: 'tasks.task.created' }, { type: 'tasks.task.changed' }];
      case 'changed':
        return log[index - 1]?.action === 'changed' ? [] : [{ type: 'tasks.task.changed' }];
      case 'assigned':
        return [{ type: 'tasks.task.assigned', assigned_to: entry.to }];
      case 'unassigned':
        return [{ type: 'tasks.task.unassigned', unassigned_from: entry.from }];
      case 'started':
      case 'completed':
      case 'cancelled':
        return [{ type: `tasks.task.${entry.action}`, assigned_to: assigneeId }];
      case 'deleted':
      case 'restored':
        return [{ type: `tasks.task.${entry.action}` }];
    }
  });
}
