import type { LogEntry } from './change.ts';
import { noPerformerAvailable } from './creation.ts';
import type { TaskState } from './task.ts';

/** The state of a task at one instant, according to the activity log. */
export type History = {
  /** The last entry up to that instant that determines the state. */
  last: { action: LogEntry['action']; actor_id: string | null; reason: string | null };
  /** The assignee then. */
  assigneeId: string | null;
  /** The values at that instant of the fields that have been changed since. */
  before: Readonly<Record<string, unknown>>;
  version: number;
  updatedAt: string;
};

/**
 * The actions that determine the state of a task, with that state. A deletion changes nothing else, because an open task is unassigned first; a
 * restoration only if the task then awaits a performer.
 */
const stateAfter = {
  created: 'draft',
  unassigned: 'draft',
  assigned: 'assigned',
  started: 'in_progress',
  completed: 'completed',
  cancelled: 'cancelled',
  restored: 'draft',
} as const satisfies Partial<Record<LogEntry['action'], TaskState>>;

export const actionsOfState = Object.keys(stateAfter).filter((action) => action !== 'restored');

/** The field of a restoration after which the task awaits a performer. */
export const awaitsPerformer = 'awaiting_performer' satisfies (LogEntry & { action: 'restored' })['field'];

/** The actions that don't change the task itself, and so make no version of it. */
export const actionsBesideTask = [
  ...['due_soon', 'due_soon_skipped', 'overdue'],
  ...['comment_added', 'comment_changed', 'comment_deleted'],
  ...['blocker_added', 'blocker_removed', 'unblocked'],
] as const;

/** The fields of a task that differ from its current state. */
export function fieldsAt({ last, assigneeId, before, version, updatedAt }: History) {
  const state = stateAfter[last.action as keyof typeof stateAfter];
  return {
    ...before,
    state,
    assignee_id: assigneeId,
    awaiting_performer: state === 'draft' && isWithoutPerformer(last),
    version,
    updated_at: updatedAt,
  };
}

/** Only the service takes a task from a user who is no longer a performer, or creates one without a performer. */
function isWithoutPerformer({ action, actor_id, reason }: History['last']): boolean {
  if (action === 'restored') return true;
  if (actor_id !== null) return false;
  return action === 'unassigned' || reason === noPerformerAvailable.reason;
}
