import { addLogFields } from '@taskwire/telemetry';

/** The log fields of the ids in a path. The user of a path has none, because `user_id` is the caller. */
const fields: Readonly<Record<string, 'task_id' | 'job_id' | 'schedule_id'>> = {
  tasks: 'task_id',
  jobs: 'job_id',
  schedules: 'schedule_id',
  'journeys/notifications': 'task_id',
};

/** A resource with its id. Dead letters have ids of their own, behind the name of a service. */
const resource =
  /(?<!\/dead_letters)\/(tasks|jobs|schedules|journeys\/notifications)\/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?=[/?]|$)/i;

/** Adds the id in a path, such as `/api/v1/tasks/<id>/activity`, to every later log line about the request. */
export function logIds(path: string): void {
  const [, name = '', id] = resource.exec(path) ?? [];
  const field = fields[name.toLowerCase()];
  if (field !== undefined && id !== undefined) addLogFields({ [field]: id.toLowerCase() });
}
