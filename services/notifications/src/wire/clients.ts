import { authUsers } from '@taskwire/service';
import type { Env } from '../env.ts';

/** The services that Notifications calls. */
export function targetsOf(env: Pick<Env, 'AUTH_INTERNAL_URL' | 'TASKS_INTERNAL_URL'>) {
  const auth = authUsers(env);
  return {
    auth,
    // a separate client, so that a failure with links (such as a scope that Auth doesn't grant yet) affects nothing else
    authLinks: { ...auth, name: 'auth links', scope: 'account_links:read' },
    tasks: {
      name: 'tasks',
      baseUrl: env.TASKS_INTERNAL_URL,
      audience: 'urn:taskwire:tasks',
      scope: 'tasks:read',
    },
  };
}
