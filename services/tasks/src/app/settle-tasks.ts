import type { Progress } from '@taskwire/lifecycle';
import { assign, awaitPerformer } from '../domain/assignment.ts';
import { explainChoice } from '../domain/fairness.ts';
import type { Task } from '../domain/task.ts';
import type { StrandedTask, TaskStore, TaskTransaction } from './ports.ts';

/**
 * Tasks reassigned per transaction. The transaction holds the assignment lock (about 2 ms per task), which blocks other
 * random assignments.
 */
const batch = 20;

/**
 * One round of reassignment. Moves an open task to another performer when its assignee was deleted, changed role or has
 * an unverified address. Without an eligible performer the task becomes a draft that awaits one, and is assigned as
 * soon as one exists. The round reads current state rather than reacting to events, so a lost wake-up or a crash in the
 * middle only costs time.
 */
export function settleTasks({ tasks }: { tasks: TaskStore }) {
  return async (): Promise<Progress> => {
    if (!(await tasks.needSettling())) return 'idle';
    return await tasks.transaction(async (tx) => {
      await tx.takeTurn();
      const moved = await moveStranded(tx);
      const given = await giveAwaiting(tx, batch - moved);
      return moved + given === batch ? 'more' : 'idle';
    });
  };
}

async function moveStranded(tx: TaskTransaction): Promise<number> {
  const stranded = await tx.lockStranded(batch);
  for (const task of stranded) {
    const why = reasonOf(task);
    if (await giveToAnybody(tx, task, why)) continue;
    await tx.apply(task, awaitPerformer(task, `${why}; nobody else is there`), null);
  }
  return stranded.length;
}

function reasonOf({ assignee_is_deleted: isDeleted, assignee_standing: standing }: StrandedTask): string {
  if (isDeleted) return 'the performer was deleted';
  if (standing === 'unverified') return "the performer's e-mail address is not verified";
  return 'the performer has another role now';
}

async function giveAwaiting(tx: TaskTransaction, limit: number): Promise<number> {
  const awaiting = await tx.lockAwaiting(limit);
  let given = 0;
  for (const task of awaiting) {
    if (!(await giveToAnybody(tx, task, 'a performer is there again'))) break;
    given += 1;
  }
  return given;
}

async function giveToAnybody(tx: TaskTransaction, task: Task, why: string): Promise<boolean> {
  const choice = await tx.chooseFairly(task.id);
  if (choice === undefined) return false;
  await tx.apply(task, assign(task, choice.performer_id, `${why}; ${explainChoice(choice)}`), null);
  return true;
}
