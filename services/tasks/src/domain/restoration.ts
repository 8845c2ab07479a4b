import { assign } from './assignment.ts';
import { changeOf, type Change, type LogEntry } from './change.ts';
import { followJob } from './job-task.ts';
import type { Eligibility } from './performer.ts';
import type { Task } from './task.ts';

/** The assignee whom a task lost with its deletion, and whether they can be assigned tasks now. */
export type FormerAssignee = { id: string; eligibility: Eligibility };

/** `is_left_behind`: whether the task above it was moved to another project in the meantime. */
type RestorableTask = Task & { is_left_behind: boolean };

/**
 * Restores a deleted task. It is assigned to its former assignee again, in the state `assigned`, so a task that was in progress starts over. If they
 * are no longer a performer, it awaits one as a draft. The job of a task of kind `job` was cancelled with the deletion, and so is the task. A task
 * stays in its project, whose members could read it, and leaves a parent that was moved to another one.
 */
export function restore(task: RestorableTask, former: FormerAssignee | undefined): Change {
  const { set, log } = resumption(task, former);
  const awaits = set.awaiting_performer === true;
  const entry: LogEntry = awaits
    ? {
        ...{ action: 'restored', field: 'awaiting_performer', from: null, to: true },
        reason: 'the former assignee cannot be assigned tasks any more',
      }
    : { action: 'restored', field: null, from: null, to: null, reason: null };
  const place = task.is_left_behind ? { parent_id: null } : {};
  const left: LogEntry[] = task.is_left_behind ? [leaving(task.parent_id)] : [];
  return changeOf(task, { ...set, ...place, is_deleted: false }, [entry, ...left, ...log]);
}

function leaving(parentId: string | null): LogEntry {
  const reason = 'the task above it was moved to another project';
  return { action: 'changed', field: 'parent_id', from: parentId, to: null, reason };
}

/** The entries and fields that follow the restoration: assignment, awaiting a performer, or cancellation. */
function resumption(task: Task, former: FormerAssignee | undefined): Pick<Change, 'set' | 'log'> {
  if (task.kind === 'job') return followJob(task, 'cancelled');
  if (former === undefined) return { set: {}, log: [] };
  return former.eligibility === 'eligible'
    ? assign(task, former.id, { reason: 'the task was restored' })
    : { set: { awaiting_performer: true }, log: [] };
}
