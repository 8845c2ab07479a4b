import { addLogFields } from '@taskwire/telemetry';

/** Adds the job to every later log line about a request that concerns exactly one. The ids of several jobs would make the lines too long. */
export function logJob(ids: readonly string[]): void {
  const [id] = ids;
  if (id !== undefined && ids.length === 1) addLogFields({ job_id: id });
}
