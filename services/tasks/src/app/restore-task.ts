import type { Tx } from '@taskwire/postgres';
import { noChange } from '../domain/change.ts';
import { authorize } from '../domain/permissions.ts';
import { restore, type FormerAssignee } from '../domain/restoration.ts';
import { loadForUpdate, type TaskCommand } from './load-for-update.ts';
import type { IdempotentRequest, TaskStore, WriteResult } from './ports.ts';

type Command = TaskCommand & { request: IdempotentRequest | undefined };

/** Restores a deleted task. A task that is not deleted stays as it is. */
export async function restoreTask({ tasks }: { tasks: TaskStore }, command: Command): Promise<WriteResult> {
  const { actor, request } = command;
  return await tasks.once(request, async (tx) => {
    const locks = { lockTask: tasks.lockTaskOrDeleted };
    const task = await loadForUpdate(locks, tx, command, (found) => authorize('restore', actor, found));
    if (!task.is_deleted) return await tasks.applyChange(tx, task, noChange, actor.id);
    const former = await formerAssignee(tasks, tx, task.id);
    return await tasks.applyChange(tx, task, restore(task, former), actor.id);
  });
}

/** Locks the former assignee too, so that they stay a performer until the task is theirs. */
async function formerAssignee(tasks: TaskStore, tx: Tx, taskId: string): Promise<FormerAssignee | undefined> {
  const id = await tasks.assigneeBeforeDeletion(tx, taskId);
  return id === undefined ? undefined : { id, eligibility: await tasks.lockEligibility(tx, id) };
}
