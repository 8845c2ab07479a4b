import { problem } from '@taskwire/errors';
import type { Change, LogEntry, TaskEvent } from './change.ts';
import { requireMay, type Action } from './permissions.ts';
import type { Person, Task, TaskState } from './task.ts';

type Transition = {
  action: Action;
  from: readonly TaskState[];
  event: Extract<TaskEvent, { assigned_to: string | null }>['type'];
  logged: LogEntry['action'];
};

/**
 * User-initiated transitions, keyed by target state. Only assignment leads to `assigned`; only the system returns a
 * task to `draft`.
 */
const transitions: Readonly<Partial<Record<TaskState, Transition>>> = {
  in_progress: { action: 'start', from: ['assigned'], event: 'tasks.task.started', logged: 'started' },
  completed: { action: 'complete', from: ['in_progress'], event: 'tasks.task.completed', logged: 'completed' },
  cancelled: {
    action: 'cancel',
    from: ['draft', 'assigned', 'in_progress'],
    event: 'tasks.task.cancelled',
    logged: 'cancelled',
  },
};

/** @throws Problem `forbidden` when the transition exists but the user may not make it. */
export function requireMayTransition(person: Person, task: Task, to: TaskState): void {
  const transition = transitions[to];
  if (transition !== undefined) requireMay(transition.action, person, task);
}

/** Starts, completes or cancels a task. @throws Problem `illegal_transition` when its state doesn't allow that. */
export function transition(task: Task, to: TaskState): Change {
  const way = transitions[to];
  if (way === undefined || !way.from.includes(task.state)) throw illegal(task.state, to);
  const told = { type: way.event, assigned_to: task.assignee_id } as TaskEvent;
  return {
    set: { state: to, awaiting_performer: false },
    events: [told],
    log: [{ action: way.logged, field: 'state', from: task.state, to, reason: null }],
  };
}

function illegal(from: TaskState, to: TaskState) {
  const ways = Object.entries(transitions).flatMap(([state, way]) => (way.from.includes(from) ? [state] : []));
  if (ways.length === 0) {
    return problem(
      'illegal_transition',
      `A task that is ${from} has ended and cannot become ${to}; create another task.`,
    );
  }
  const assigning = ', or be assigned with POST /api/v1/tasks/{id}/assign, for example {"assign": "random"}';
  return problem(
    'illegal_transition',
    `A task that is ${from} cannot become ${to}. It can become ${ways.join(' or ')}, for example {"state": "${ways[0]}"}` +
      `${from === 'draft' || to === 'assigned' ? assigning : ''}.`,
  );
}
