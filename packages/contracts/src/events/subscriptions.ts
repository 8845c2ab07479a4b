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

type Subject = {
  prefix: string;
  /** The log field of the aggregate's id. */
  aggregate: string;
  /** Further log fields, and the fields of the payload that have their ids. */
  found?: readonly (readonly [field: string, name: string])[];
};

const id = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
const taskOfComment = 'task_uuid';
const actor = ['user_id', 'actor'] as const;

const subjects: readonly Subject[] = [
  { prefix: 'tasks.task.', aggregate: 'task_id', found: [actor] },
  { prefix: 'tasks.comment.', aggregate: 'comment_id', found: [['task_id', taskOfComment], actor] },
  { prefix: 'tasks.job.', aggregate: 'job_id', found: [actor] },
  { prefix: 'tasks.schedule.', aggregate: 'schedule_id' },
  { prefix: 'auth.user.', aggregate: 'user_id' },
  { prefix: 'auth.account.', aggregate: 'aggregate_id', found: [['user_id', 'user_id']] },
];
const unknownSubject: Subject = { prefix: '', aggregate: 'aggregate_id' };

/**
 * The log fields that name what an event is about, so that a search for a task finds its events too. A comment's event also names the task. `user_id` is
 * the user of the account, or the one who caused the event. `payload` returns JSON text.
 */
export function subjectFields(
  type: EventType | (string & {}),
  aggregateId: string | undefined,
  payload: () => string,
): Record<string, string> {
  const { aggregate, found = [] } = subjects.find(({ prefix }) => type.startsWith(prefix)) ?? unknownSubject;
  const fields: Record<string, string> = aggregateId === undefined ? {} : { [aggregate]: aggregateId };
  if (found.length === 0) return fields;
  const ids = idsIn(payload());
  for (const [field, name] of found) {
    const value = ids(name);
    if (value !== undefined) fields[field] = value;
  }
  return fields;
}

/** Returns the resource to which the aggregate of an event belongs: the task of a comment. `payload` returns JSON text. */
export function parentOf(type: EventType | (string & {}), payload: () => string): string | undefined {
  return type.startsWith('tasks.comment.') ? idsIn(payload())(taskOfComment) : undefined;
}

/** Returns a function that finds the id in a field of an object. It finds nothing in text that is not JSON, because messages may contain anything. */
function idsIn(text: string): (name: string) => string | undefined {
  const fields = fieldsOf(text);
  return (name) => {
    const value = fields[name];
    return typeof value === 'string' && id.test(value) ? value : undefined;
  };
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    // `Object` turns null, which is JSON too, into an object without fields
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
