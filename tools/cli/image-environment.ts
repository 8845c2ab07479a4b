import type { Environment } from './suite-environment.ts';

/**
 * Adds the database URL of the container's service, under the variable name that the commands read. The image sets TASKWIRE_SERVICE, and the
 * container's environment contains the service's DATABASE_URL.
 */
export function imageEnvironment(env: Environment): Environment {
  const { TASKWIRE_SERVICE: service, DATABASE_URL: url } = env;
  return service === undefined || url === undefined ? env : { ...env, [`${service.toUpperCase()}_DATABASE_URL`]: url };
}
