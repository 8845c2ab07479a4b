import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { newClientKey, type CallingService } from './service-clients.ts';

export type ServiceName = 'auth' | 'tasks' | 'notifications';

export const serviceNames: readonly ServiceName[] = ['auth', 'tasks', 'notifications'];

/** The random secrets of one suite; each suite has different ones. */
export type Secrets = {
  database: Record<ServiceName | 'superuser', string>;
  amqp: Record<ServiceName | 'operator', string>;
  /** Private keys (PEM) of the services that call others. Auth gets the public parts. */
  clientKeys: Record<CallingService, string>;
  /** Base64 of 32 bytes. */
  keyEncryption: string;
};

export function newSecrets(): Secrets {
  const secret = () => randomBytes(24).toString('base64url');
  return {
    database: { superuser: secret(), auth: secret(), tasks: secret(), notifications: secret() },
    amqp: { operator: secret(), auth: secret(), tasks: secret(), notifications: secret() },
    clientKeys: { tasks: newClientKey(), notifications: newClientKey() },
    keyEncryption: randomBytes(32).toString('base64'),
  };
}

/** The secrets of a folder, created on the first call; secrets that a newer version needs are added. Readable only by the owner. */
export function keptSecrets(file: string): Secrets {
  const kept = readSecrets(file);
  const secrets = { ...newSecrets(), ...kept };
  writeFileSync(file, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
}

function readSecrets(file: string): Partial<Secrets> {
  try {
    chmodSync(file, 0o600);
    return JSON.parse(readFileSync(file, 'utf8')) as Secrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new Error(`${file} cannot be read; npm start -- --fresh starts over without it and without the data.`, {
      cause: error,
    });
  }
}
