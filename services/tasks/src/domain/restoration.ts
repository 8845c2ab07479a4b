import { assign } from './assignment.ts';
import { changeOf, type Change, type LogEntry } from './change.ts';
import { followJob } from './job-task.ts';
import type { Eligibility } from './performer.ts';
import { hasEnded, type Task } from './task.ts';

/** The assignee whom a task lost with its deletion, and whether they can be assigned tasks now. */
export type FormerAssignee = { id: string; eligibility: Eligibility };

/** Why a restored task leaves the task above it. `restore` logs it as the reason. */
export type Departure = 'the task above it was moved to another project' | 'the task above it has ended';

/** Whether the task has not ended once it is restored. The task of a job is cancelled, unless it had ended. */
export function returnsUnfinished({ state, kind }: Pick<Task, 'state' | 'kind'>): boolean {
  return !hasEnded(state) && kind !== 'job';
}

/**
 * Decides whether a task leaves its parent when it is restored; `parent` is undefined for a parent that is restored with it. `is_left_behind`: whether
 * the parent is in another project. A task that has ended cannot get sub-tasks, and stays ended, so a task that returns unfinished leaves it: a refusal
 * would keep the user from ever restoring their work.
 */
export function departureOf(
  task: Pick<Task, 'state' | 'kind'> & { is_left_behind: boolean },
  parent: Pick<Task, 'state'> | undefined,
): Departure | null {
  if (task.is_left_behind) return 'the task above it was moved to another project';
  const isBelowEnded = parent !== undefined && hasEnded(parent.state);
  return isBelowEnded && returnsUnfinished(task) ? 'the task above it has ended' : null;
}

/**
 * Restores a deleted task. It is assigned to its former assignee again, in the state `assigned`, so a task that was in progress starts over. If they
 * are no longer a performer, it awaits one as a draft. The job of a task of kind `job` was cancelled with the deletion, and so is the task. A task
 * stays in its project, whose members could read it. With a `departure`, it leaves its parent.
 */
export function restore(task: Task, former: FormerAssignee | undefined, departure: Departure | null): Change {
  const { set, log } = resumption(task, former);
  const awaits = set.awaiting_performer === true;
  const entry: LogEntry = awaits
    ? {
        ...{ action: 'restored', field: 'awaiting_performer', from: null, to: true },
        reason: 'the former assignee cannot be assigned tasks any more',
      }
    : { action: 'restored', field: null, from: null, to: null, reason: null };
  const place = departure === null ? {} : { parent_id: null };
  const left: LogEntry[] = departure === null ? [] : [leaving(task.parent_id, departure)];
  return changeOf(task, { ...set, ...place, is_deleted: false }, [entry, ...left, ...log]);
}

function leaving(parentId: string | null, reason: Departure): LogEntry {
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
