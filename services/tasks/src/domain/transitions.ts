import { fieldProblem } from '@taskwire/errors';
import { changeOf, type Change, type Grounds, type LogEntry } from './change.ts';
import { requireTaskOfPeople } from './job-task.ts';
import { authorize, type Action, type Subject } from './permissions.ts';
import type { Actor, Task, TaskState } from './task.ts';

type Transition = {
  action: Action;
  from: readonly TaskState[];
  logged: Extract<LogEntry, { field: 'state' }>['action'];
};

/**
 * User-initiated transitions, keyed by target state. Only assignment leads to `assigned`; only the system returns a
 * task to `draft`.
 */
const transitions: Readonly<Partial<Record<TaskState, Transition>>> = {
  in_progress: { action: 'start', from: ['assigned'], logged: 'started' },
  completed: { action: 'complete', from: ['in_progress'], logged: 'completed' },
  cancelled: { action: 'cancel', from: ['draft', 'assigned', 'in_progress'], logged: 'cancelled' },
};

/**
 * @throws Problem `forbidden` when the transition exists but the user may not make it; `illegal_transition` for starting and completing a task of a
 * job, which no user may do.
 */
export function authorizeTransition(actor: Actor, task: Subject & Pick<Task, 'kind'>, to: TaskState): void {
  const transition = transitions[to];
  if (to !== 'cancelled')
    requireTaskOfPeople(task, `it cannot become ${to} by hand`, { field: 'state', message: 'follows from the job' });
  if (transition !== undefined) authorize(transition.action, actor, task);
}

/**
 * Starts, completes or cancels a task. `reason` explains why that was possible, if it needs an explanation, and `why` is the user's reason.
 * @throws Problem `illegal_transition` when its state doesn't allow that.
 */
export function changeState(
  task: Task,
  to: TaskState,
  { reason, why }: Omit<Grounds, 'choice'> = { reason: null },
): Change {
  const transition = transitions[to];
  if (transition === undefined || !transition.from.includes(task.state)) throw illegal(task.state, to);
  const given = why === undefined ? { reason } : { reason, why };
  return changeOf(task, { state: to, awaiting_performer: false }, [
    { action: transition.logged, field: 'state', from: task.state, to, ...given },
  ]);
}

function illegal(from: TaskState, to: TaskState) {
  const targets = Object.entries(transitions).flatMap(([state, { from: sources }]) =>
    sources.includes(from) ? [state] : [],
  );
  if (targets.length === 0) {
    return illegalState(`A task that is ${from} has ended and cannot become ${to}; create another task.`);
  }
  const assigning = ', or be assigned with POST /api/v1/tasks/{id}/assign, for example {"assign": "random"}';
  return illegalState(
    `A task that is ${from} cannot become ${to}. It can become ${targets.join(' or ')}, for example {"state": "${targets[0]}"}` +
      `${from === 'draft' || to === 'assigned' ? assigning : ''}.`,
  );
}

function illegalState(detail: string) {
  return fieldProblem('illegal_transition', {
    field: 'state',
    message: 'is not allowed from the present state',
    detail,
  });
}
