import { bearer, m2m, type Authorization } from '@taskwire/client';
import type { ClientCredentials, WorkerOptions } from './options.ts';

/** Tokens for the jobs of a worker, by `client_credentials`. */
export function credentialsOf(credentials: ClientCredentials): Authorization {
  return m2m({ ...credentials, resource: 'urn:taskwire:tasks', scope: 'jobs:work' });
}

export function authorizationOf(auth: WorkerOptions['auth']): Authorization {
  return typeof auth === 'function' ? bearer(auth) : credentialsOf(auth);
}

/** Credentials that another thread can use: those with a secret. A function cannot be sent there. */
export function sendableCredentials(
  auth: WorkerOptions['auth'],
): (ClientCredentials & { credential: string }) | undefined {
  if (typeof auth === 'function' || typeof auth.credential === 'function') return undefined;
  return { ...auth, credential: auth.credential };
}
