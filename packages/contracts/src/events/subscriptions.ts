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
  ['tasks.comment.', 'comment_id'],
  ['tasks.job.', 'job_id'],
  ['tasks.schedule.', 'schedule_id'],
  ['auth.user.', 'user_id'],
];

/**
 * The log fields that name what an event is about, so that a search for a task finds its events too. An event of a comment also names the task, which is
 * read from its payload, JSON text.
 */
export function subjectFields(
  type: EventType | (string & {}),
  aggregateId: string | undefined,
  payload: () => string,
): Record<string, string> {
  const field = subjects.find(([prefix]) => type.startsWith(prefix))?.[1] ?? 'aggregate_id';
  const [, task] = field === 'comment_id' ? (/"task_uuid"\s*:\s*"([\da-f-]{36})"/.exec(payload()) ?? []) : [];
  return { ...(aggregateId === undefined ? {} : { [field]: aggregateId }), ...(task === undefined ? {} : { task_id: task }) };
}
