import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';

/** The services that call others, as clients of Auth. */
export type CallingService = 'tasks' | 'notifications';

const readUsers = { audience: 'urn:taskwire:auth', scopes: ['users:read'] };
/** Links give access to accounts, so only the service that mails them may read them. */
const readUsersAndLinks = { audience: 'urn:taskwire:auth', scopes: ['users:read', 'account_links:read'] };
const readTasks = { audience: 'urn:taskwire:tasks', scopes: ['tasks:read'] };

const grants = { tasks: [readUsers], notifications: [readUsersAndLinks, readTasks] };

/** A private key in PEM. */
export function newClientKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The private key as a single-line JWK, for files that do not support multi-line values. */
export function clientKeyAsJwk(pem: string): string {
  return JSON.stringify(createPrivateKey(pem).export({ format: 'jwk' }));
}

/** The clients configured in Auth: their public keys, and the scopes they may request. */
export function serviceClients(keys: Readonly<Record<CallingService, string>>): object[] {
  return (['tasks', 'notifications'] as const).map((service) => ({
    client_id: service,
    jwks: { keys: [publicJwk(keys[service])] },
    grants: grants[service],
    introspects: [`urn:taskwire:${service}`],
  }));
}

function publicJwk(pem: string): object {
  return createPublicKey(createPrivateKey(pem)).export({ format: 'jwk' });
}
