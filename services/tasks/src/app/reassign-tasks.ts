import type { Progress } from '@taskwire/lifecycle';
import type { Tx } from '@taskwire/postgres';
import { assign, awaitPerformer } from '../domain/assignment.ts';
import { groundsOf } from '../domain/fairness.ts';
import type { Task } from '../domain/task.ts';
import type { OrphanedTask, TaskStore } from './ports.ts';

/**
 * Tasks reassigned per transaction. The transaction holds the assignment lock (about 2 ms per task), which blocks other
 * random assignments.
 */
const batch = 20;

/**
 * One round of reassignment. Moves an open task to another performer when its assignee was deleted, changed role, has
 * an unverified address or is no longer a contributor of its project. Without an eligible performer the task becomes a draft that awaits one, and is assigned as
 * soon as one exists. The round reads current state rather than reacting to events, so a lost wake-up or a crash in the
 * middle only costs time.
 */
export async function reassignTasks({ tasks }: { tasks: TaskStore }): Promise<Progress> {
  if (!(await tasks.needReassignment())) return 'idle';
  return await tasks.transaction(async (tx) => {
    await tasks.lockAssignments(tx);
    const moved = await moveOrphaned(tasks, tx);
    const assigned = await assignAwaiting(tasks, tx, batch - moved);
    return moved + assigned === batch ? 'more' : 'idle';
  });
}

async function moveOrphaned(tasks: TaskStore, tx: Tx): Promise<number> {
  const orphaned = await tasks.lockOrphanedTasks(tx, batch);
  for (const task of orphaned) {
    const reason = orphanedReason(task);
    if (await assignToLeastLoaded(tasks, tx, task, reason)) continue;
    await tasks.applyChange(tx, task, awaitPerformer(task, `${reason}; no other performer is available`), null);
  }
  return orphaned.length;
}

function orphanedReason({ assignee_is_deleted: isDeleted, assignee_eligibility: eligibility }: OrphanedTask): string {
  if (isDeleted) return 'the assignee was deleted';
  if (eligibility === 'unverified') return "the assignee's e-mail address is not verified";
  if (eligibility === 'eligible') return 'the assignee is no longer a contributor of the project';
  return 'the assignee has a different role now';
}

async function assignAwaiting(tasks: TaskStore, tx: Tx, limit: number): Promise<number> {
  const awaiting = await tasks.lockAwaitingTasks(tx, limit);
  let assigned = 0;
  for (const task of awaiting) {
    if (await assignToLeastLoaded(tasks, tx, task, 'a performer is available again')) assigned += 1;
  }
  return assigned;
}

/** Returns false, and changes nothing, when there is no performer. */
async function assignToLeastLoaded(tasks: TaskStore, tx: Tx, task: Task, reason: string): Promise<boolean> {
  const choice = await tasks.pickLeastLoaded(tx, task);
  if (choice === undefined) return false;
  const change = assign(task, choice.performer_id, groundsOf(choice, reason));
  await tasks.applyChange(tx, task, change, null);
  return true;
}
