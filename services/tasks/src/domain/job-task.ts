import { fieldProblem, problem } from '@taskwire/errors';
import { changeOf, noChange, type Change, type LogEntry } from './change.ts';
import type { Task, TaskState } from './task.ts';

/** The states that a job gives to the task that it carries out. In any other state of the job, also when it is dead, the task stays as it is. */
type Bringing = 'leased' | 'succeeded' | 'cancelled';

type Step = { state: TaskState; action: Extract<LogEntry, { field: 'state' }>['action']; reason: string };

const steps: Readonly<Record<Bringing, Step>> = {
  leased: { state: 'in_progress', action: 'started', reason: 'a worker started its job' },
  succeeded: { state: 'completed', action: 'completed', reason: 'its job succeeded' },
  cancelled: { state: 'cancelled', action: 'cancelled', reason: 'its job was cancelled' },
};

/** The states of a task whose job has not ended. */
export const unfinished = ['draft', 'in_progress'] as const satisfies TaskState[];

/** The states of jobs that change a task. */
export const bringing = Object.keys(steps) as readonly Bringing[];

/** The change of a task that follows from the state of its job. */
export function followJob({ state }: Pick<Task, 'state'>, jobState: Bringing): Change {
  const step = steps[jobState];
  if (step.state === state || !unfinished.some((one) => one === state)) return noChange;
  return changeOf({ assignee_id: null }, { state: step.state }, [
    { action: step.action, field: 'state', from: state, to: step.state, reason: step.reason },
  ]);
}

/**
 * `what` completes the sentence "A worker carries out this task, so …". `fault` is the field at fault, if the body of the request has one.
 * @throws Problem `illegal_transition` for a task that a job carries out.
 */
export function requireTaskOfPeople(
  { kind }: Pick<Task, 'kind'>,
  what: string,
  fault?: { field: string; message: string },
): void {
  if (kind !== 'job') return;
  const detail = `A worker carries out this task, so ${what}. It can be cancelled: {"state": "cancelled"}.`;
  throw fault === undefined
    ? problem('illegal_transition', detail)
    : fieldProblem('illegal_transition', { ...fault, detail });
}
