import type { Writable } from 'node:stream';
import { createDatabase, requireMigrated } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { commandLineContext } from '../domain/audit-context.ts';
import { createUser } from '../app/create-user.ts';
import { recover, type Copies } from '../app/recover.ts';
import { knownCallerTurn } from '../app/hash-new-password.ts';
import type { RegisteredClient } from '../app/ports/clients.ts';
import { restoreUser } from '../app/restore-user.ts';
import type { CommandEnv } from '../env.ts';
import { migrations } from '../migrations.ts';
import { owaspCost, unmatchableHash } from '../passwords/argon2id.ts';
import { createPasswords } from '../passwords/passwords.ts';
import { createStoredClients } from '../postgres/client-rows.ts';
import { createSealedKeys } from '../postgres/signing-key-rows.ts';
import { entities } from '../postgres/entities.ts';
import { createUsers } from '../postgres/users.ts';
import { createRecoveryStore } from '../postgres/recovery.ts';
import { isNative } from '../oidc/native-clients.ts';
import { rotationSchedule } from '../wire/signing-keys.ts';
import { userSettings } from '../wire/storage.ts';
import { resealKeys } from '../tokens/reseal-keys.ts';
import { newKey, rotateKeys } from '../tokens/signing-keys.ts';

export type Commands = Awaited<ReturnType<typeof wireCommands>>;

/** Wires the commands, without a running service; `close` closes the database connection. */
export async function wireCommands(env: CommandEnv, logs: Writable) {
  const telemetry = createTelemetry({ service: 'auth', level: 'error', stream: logs });
  const db = await createDatabase({
    url: env.DATABASE_URL,
    poolSize: 1,
    applicationName: 'taskwire auth command',
    entities,
    telemetry,
  });
  const sealedKeys = createSealedKeys(db);
  const stored = createStoredClients(db);
  // the running service's relay finds the event when it polls
  const users = createUsers(db, userSettings(env));
  const passwords = createPasswords({ cost: owaspCost, concurrency: 1, queue: 1, metrics: telemetry.metrics });
  // operators, who may run commands, are not limited
  const create = createUser({ users, passwords, limits: { causeMail: async () => undefined } });
  const restore = restoreUser({ users, passwords });
  return {
    requireMigrated: async () => await requireMigrated(db.pool, migrations),
    createUser: async (account: Parameters<typeof create>[0]) =>
      await create(account, { ...commandLineContext, action: 'user.create' }, knownCallerTurn('command line')),
    emailTakenBy: users.emailTakenBy,
    /** Undefined if no deleted user with this address can be restored. */
    async restoreUser(email: string) {
      const found = await users.findRestorable(email);
      return found && (await restore(found.id, commandLineContext));
    },
    clients: {
      list: stored.list,
      /** Undefined if a client with this id already exists. */
      add: async (client: RegisteredClient) =>
        (await stored.add(client, commandLineContext)) ? { isNative: isNative(client) } : undefined,
      /** Undefined if no client with this id was registered by command. */
      async change(id: string, change: (client: RegisteredClient) => RegisteredClient) {
        const changed = await stored.change(id, change, commandLineContext);
        return changed && { isNative: isNative(changed) };
      },
      setSecret: async (id: string, hash: string) => await stored.setSecret(id, hash, commandLineContext),
      remove: async (id: string) => await stored.remove(id, commandLineContext),
    },
    async recover({ secret, copies, write }: { secret: Buffer; copies: Copies; write: (line: string) => void }) {
      const unusableHash = unmatchableHash(owaspCost);
      const store = createRecoveryStore({
        db,
        ...userSettings(env),
        unusableHash,
        newKey: async () => await newKey(secret),
      });
      return await recover({ store, clients: stored, write }, copies);
    },
    listKeys: sealedKeys.all,
    rotateKeys: (secret: Buffer) => rotateKeys(sealedKeys, secret, rotationSchedule(env)).addNext(commandLineContext),
    resealKeys: async (secrets: { from: Buffer; to: Buffer }) =>
      await resealKeys(sealedKeys, secrets, commandLineContext),
    close: db.close,
  };
}
