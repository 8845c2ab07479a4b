import type { EventType } from './events.ts';

/**
 * The binding keys with which each service subscribes to the events of other services. Auth subscribes to none. The broker's permissions are
 * generated from this table, so a service cannot bind its queue to any other events.
 */
export const subscriptions: Readonly<Record<'auth' | 'tasks' | 'notifications', readonly string[]>> = {
  auth: [],
  tasks: ['auth.user.*', 'auth.account.access_ended'],
  notifications: ['auth.user.*', 'auth.account.*', 'tasks.#'],
};

/** The only service that may publish events of this type: the first word of the routing key. */
export function publisherOf(type: EventType | (string & {})): string {
  return type.split('.')[0] ?? '';
}

const subjects: readonly (readonly [prefix: string, field: string])[] = [
  ['tasks.task.', 'task_id'],
  ['tasks.comment.', 'task_id'],
  ['tasks.job.', 'job_id'],
  ['tasks.schedule.', 'schedule_id'],
  ['auth.user.', 'user_id'],
];

/** The name of the log field with the aggregate of an event of this type, so that a search for a task finds its events too. */
export function subjectField(type: EventType | (string & {})): string {
  return subjects.find(([prefix]) => type.startsWith(prefix))?.[1] ?? 'aggregate_id';
}
