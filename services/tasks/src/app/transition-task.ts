import type { Tx } from '@taskwire/postgres';
import { authorizeStep, judge, type Overrides, type Step } from '../domain/links/hindrances.ts';
import { readerOf } from '../domain/projects/reader.ts';
import { authorizeTransition, changeState } from '../domain/transitions.ts';
import type { ActedTask, TaskState } from '../domain/task.ts';
import { hindered } from './links/problems.ts';
import type { LinkStore } from './links/ports.ts';
import { loadForUpdate, loadToEnd, type TaskCommand } from './load-for-update.ts';
import type { IdempotentRequest, TaskStore, WriteResult } from './ports.ts';

type Ports = { tasks: TaskStore; links: LinkStore };
type Command = TaskCommand & { to: TaskState; overrides: Overrides; request: IdempotentRequest | undefined };

/** Starts, completes or cancels a task. Cancelling a task cancels its job. */
export async function transitionTask({ tasks, links }: Ports, command: Command): Promise<WriteResult> {
  const { actor, to, overrides, request } = command;
  const step: Step | undefined = to === 'in_progress' || to === 'completed' ? { to, overrides } : undefined;
  const load = to === 'in_progress' ? loadForUpdate : loadToEnd;
  return await tasks.once(request, async (tx) => {
    const task = await load(tasks, tx, command, (found) =>
      step === undefined ? authorizeTransition(actor, found, to) : authorizeStep(actor, found, step),
    );
    const why = overrides.reason ?? undefined;
    const change = changeState(task, to, { reason: null, why });
    if (to === 'cancelled') await tasks.cancelJobOf(tx, task, actor.id);
    if (step === undefined) return await tasks.applyChange(tx, task, change, actor.id);
    const explanation = await overcome(links, tx, { actor, task, step });
    return await tasks.applyChange(tx, task, changeState(task, to, { reason: explanation, why }), actor.id);
  });
}

/**
 * Checks that a task has no open blockers or sub-tasks, or that the actor overrides them. Returns the explanation for the activity log.
 * @throws Problem `task_blocked`, `open_subtasks`.
 */
async function overcome(
  links: LinkStore,
  tx: Tx,
  { actor, task, step }: { actor: Command['actor']; task: ActedTask; step: Step },
): Promise<string | null> {
  const none = { blockers: [], subtasks: [] };
  const verdict = judge(actor, task, step, task.is_linked ? await links.readHindrances(tx, task.id) : none);
  if (verdict.code !== 'possible') throw await hindered(links, tx, { ...verdict, reader: readerOf(actor) });
  return verdict.explanation;
}
