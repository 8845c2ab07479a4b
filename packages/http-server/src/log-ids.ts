import { addLogFields, type LogFields } from '@taskwire/telemetry';

/** The log fields of the ids in a path, by the segments before them. A user has a field of its own, because `user_id` is the caller. */
const fields = {
  tasks: 'task_id',
  'journeys/notifications': 'task_id',
  comments: 'comment_id',
  jobs: 'job_id',
  schedules: 'schedule_id',
  users: 'target_user_id',
  members: 'target_user_id',
} as const satisfies Record<string, keyof LogFields>;

/** A resource with its id. Dead letters have ids of their own, behind the name of a service. */
const resource = new RegExp(
  `(?<!/dead_letters)/(${Object.keys(fields).join('|')})/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?=[/?]|$)`,
  'gi',
);

/** Adds the ids in a path, such as `/api/v1/tasks/<id>/activity`, to every later log line about the request. */
export function logIds(path: string): void {
  for (const [, name = '', id = ''] of path.matchAll(resource))
    addLogFields({ [fields[name.toLowerCase() as keyof typeof fields]]: id.toLowerCase() });
}
