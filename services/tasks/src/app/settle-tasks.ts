import type { Progress } from '@taskwire/lifecycle';
import { assign, awaitPerformer } from '../domain/assignment.ts';
import { explainChoice } from '../domain/fairness.ts';
import type { Task } from '../domain/task.ts';
import type { TaskStore, TaskTransaction } from './ports.ts';

/** Tasks settled in one transaction. It keeps the turn to choose fairly meanwhile (some 2 ms a task), and people wait for that. */
const batch = 20;

/**
 * One round of bringing tasks to who can do them: open tasks whose performer is gone or has another role move to others; with nobody
 * left they become drafts that wait, and those are assigned as soon as there is somebody. It looks at what is, not at what was told, so a
 * lost wake-up or a crash in the middle costs time only.
 */
export function settleTasks({ tasks }: { tasks: TaskStore }) {
  return async (): Promise<Progress> =>
    await tasks.transaction(async (tx) => {
      await tx.takeTurn();
      const stranded = await tx.lockStranded(batch);
      for (const task of stranded) await moveOn(tx, task, task.assignee_is_deleted);
      const awaiting = stranded.length === batch ? [] : await tx.lockAwaiting(batch - stranded.length);
      for (const task of awaiting) if (!(await giveToAnybody(tx, task, 'a performer appeared'))) return 'idle';
      return stranded.length + awaiting.length === batch ? 'more' : 'idle';
    });
}

async function moveOn(tx: TaskTransaction, task: Task, assigneeIsDeleted: boolean): Promise<void> {
  const why = assigneeIsDeleted ? 'the performer was deleted' : 'the performer has another role now';
  if (await giveToAnybody(tx, task, why)) return;
  await tx.apply(task, awaitPerformer(task, `${why}; nobody else is there`), null);
}

async function giveToAnybody(tx: TaskTransaction, task: Task, why: string): Promise<boolean> {
  const choice = await tx.chooseFairly(task.id);
  if (choice === undefined) return false;
  await tx.apply(task, assign(task, choice.performer_id, `${why}; ${explainChoice(choice)}`), null);
  return true;
}
