import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';

export type ServiceName = 'auth' | 'tasks' | 'notifications';

export const serviceNames: readonly ServiceName[] = ['auth', 'tasks', 'notifications'];

/** Passwords of one suite; random, never the same for two suites. */
export type Secrets = {
  database: Record<ServiceName | 'superuser', string>;
  amqp: Record<ServiceName | 'operator', string>;
  /** client secrets of the services that call others */
  m2m: Record<'tasks' | 'notifications', string>;
  /** base64 of 32 bytes */
  keyEncryption: string;
};

export function newSecrets(): Secrets {
  // 32 characters, the least that Auth takes for a client secret
  const secret = () => randomBytes(24).toString('base64url');
  return {
    database: { superuser: secret(), auth: secret(), tasks: secret(), notifications: secret() },
    amqp: { operator: secret(), auth: secret(), tasks: secret(), notifications: secret() },
    m2m: { tasks: secret(), notifications: secret() },
    keyEncryption: randomBytes(32).toString('base64'),
  };
}

/** The secrets of a folder, made on the first call; the file is readable by its owner only. */
export function keptSecrets(file: string): Secrets {
  try {
    chmodSync(file, 0o600);
    return JSON.parse(readFileSync(file, 'utf8')) as Secrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new Error(`${file} cannot be read; npm start -- --fresh begins anew without it and without the data.`, {
        cause: error,
      });
    }
  }
  const made = newSecrets();
  writeFileSync(file, JSON.stringify(made, null, 2), { mode: 0o600 });
  return made;
}
