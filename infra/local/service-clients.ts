import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';

/** The services that call others, as clients of Auth. */
export type CallingService = 'tasks' | 'notifications';

const readUsers = { audience: 'urn:taskwire:auth', scopes: ['users:read'] };
/** Links open accounts, so nobody but who mails them may read them. */
const readUsersAndLinks = { audience: 'urn:taskwire:auth', scopes: ['users:read', 'account_links:read'] };
const readTasks = { audience: 'urn:taskwire:tasks', scopes: ['tasks:read'] };

const grants = { tasks: [readUsers], notifications: [readUsersAndLinks, readTasks] };

/** A private key in PEM. */
export function newClientKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The private key as a JWK in one line, for files whose values have no lines. */
export function clientKeyAsJwk(pem: string): string {
  return JSON.stringify(createPrivateKey(pem).export({ format: 'jwk' }));
}

/** The clients that Auth is configured with: their public keys, and what they may ask for. */
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
