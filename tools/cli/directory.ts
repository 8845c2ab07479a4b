import { createPrivateKey } from 'node:crypto';
import type { Command } from 'commander';
import { fields, readEnv } from '@taskwire/env';
import { errorText } from '@taskwire/errors';
import { createM2mTokens, createServiceClient, privateKeyJwt } from '@taskwire/http-client';
import type { Telemetry } from '@taskwire/telemetry';
import { createUserDirectory, createUsersClient, userDirectoryMigrations } from '@taskwire/user-directory';
import { z } from 'zod';
import type { ConsumerName } from '../../infra/local/running-file.ts';
import { CommandFault, type CommandProcess } from './command-process.ts';
import { commandTelemetry, isOfRunningSuite, openDatabase, serviceArgument } from './database.ts';
import { interruptSignal } from './interrupt-signal.ts';
import { runningSuite, type Environment } from './suite-environment.ts';

const outsideEnv = z.object({
  AUTH_INTERNAL_URL: fields.httpUrl.describe('the address of Auth, bypassing the gateway'),
  CLIENT_ID: z.string().optional(),
  ISSUER: fields.httpUrl.describe('the issuer of Auth, such as https://taskwire.example.com/oidc'),
  CLIENT_PRIVATE_KEY: fields.privateKey,
});

const rebuildHelp = `
Reads all users from Auth, page by page, and repairs the service's copy: users that are missing, and states that are damaged or newer than a
backup to which Auth was restored. The service may keep running and consuming events.

For a database other than that of the running suite, set AUTH_INTERNAL_URL, ISSUER, CLIENT_PRIVATE_KEY and, unless it is the name of the
service, CLIENT_ID.`;

/** Adds the commands for a service's copy of Auth's users. */
export function addDirectory(program: Command, process: CommandProcess): void {
  const group = program.command('directory').description("repairs a service's copy of Auth's users");
  group
    .command('rebuild')
    .description("compares the service's copy with Auth, user by user, and repairs it")
    .addArgument(serviceArgument())
    .addHelpText('after', rebuildHelp)
    .action(async (service: ConsumerName) => await rebuild(service, process));
}

async function rebuild(service: ConsumerName, process: CommandProcess): Promise<void> {
  const telemetry = commandTelemetry(process);
  const db = await openDatabase(service, process.env, { telemetry, needs: [userDirectoryMigrations] });
  try {
    const { client, close } = authClient(service, process.env, telemetry);
    const interruption = interruptSignal();
    const began = performance.now();
    const directory = createUserDirectory({ db, users: createUsersClient(client), telemetry });
    try {
      const { users, changed, missing } = await directory.reconciler.rebuild(interruption.signal);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      process.stdout.write(`Read ${users} users from Auth in ${seconds} s: ${changed} were missing or different.\n`);
      if (missing > 0) {
        process.stdout.write(`Auth did not list ${missing} users; the service will query them one by one.\n`);
      }
    } catch (error) {
      if (interruption.signal.aborted) throw new CommandFault('Interrupted. The service itself continues the rebuild.');
      throw new CommandFault(`The rebuild failed: ${errorText(error)}.`);
    } finally {
      interruption.dispose();
      await close();
    }
  } finally {
    await db.close();
  }
}

function authClient(service: ConsumerName, env: Environment, telemetry: Telemetry) {
  const { authUrl, ...identity } = authAccess(service, env);
  const authentication = privateKeyJwt(identity);
  const tokens = createM2mTokens({ tokenUrl: `${authUrl}/oidc/token`, authentication, telemetry });
  const audience = 'urn:taskwire:auth';
  const client = createServiceClient({
    name: 'auth',
    baseUrl: authUrl,
    audience,
    scope: 'users:read',
    tokens,
    telemetry,
  });
  return { client, close: async () => void (await Promise.all([client.close(), tokens.close()])) };
}

function authAccess(service: ConsumerName, env: Environment) {
  const running = runningSuite(env);
  if (running !== undefined && isOfRunningSuite(service, env)) {
    const { issuer, clientId, privateKey } = running.consumers[service];
    return { authUrl: running.authUrl, issuer, clientId, privateKey: createPrivateKey(privateKey) };
  }
  const given = readEnv(outsideEnv, env);
  return {
    authUrl: given.AUTH_INTERNAL_URL,
    issuer: given.ISSUER,
    clientId: given.CLIENT_ID ?? service,
    privateKey: given.CLIENT_PRIVATE_KEY,
  };
}
