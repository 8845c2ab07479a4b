// npm run directory -- rebuild <service>: rebuilds a service's copy of Auth's users
import { createPrivateKey } from 'node:crypto';
import { fields, readEnv } from '@taskwire/env';
import { errorText } from '@taskwire/errors';
import { createM2mTokens, createServiceClient, privateKeyJwt } from '@taskwire/http-client';
import type { Telemetry } from '@taskwire/telemetry';
import { createUserDirectory, createUsersClient, userDirectoryMigrations } from '@taskwire/user-directory';
import { z } from 'zod';
import type { ConsumerName } from '../../../infra/local/running-file.ts';
import { commandTelemetry, isOfRunningSuite, loadDotEnv, openDatabase, runningSuite } from '../operator/access.ts';
import { CommandFault, exitCodes, readOptions, readService, runCommand, UsageError } from '../operator/command.ts';

const help = `npm run directory -- rebuild <service>        <service>: tasks or notifications

Reads all users from Auth, page by page, and mends what the service holds: users whom it lacks, states that are damaged or newer than a backup
that Auth went back to. Safe while events arrive and while the service runs. Prints what it came to.

It works on the suite that npm start runs, or on the database that TASKS_DATABASE_URL or NOTIFICATIONS_DATABASE_URL names, with
AUTH_INTERNAL_URL, ISSUER, CLIENT_PRIVATE_KEY and CLIENT_ID (the service's name unless set). Exit codes: 0 done, 1 not done, 2 wrong arguments.`;

const outsideEnv = z.object({
  AUTH_INTERNAL_URL: fields.httpUrl.describe('where Auth is, past the gateway'),
  CLIENT_ID: z.string().optional(),
  ISSUER: fields.httpUrl.describe('the issuer of Auth, such as https://taskwire.example.com/oidc'),
  CLIENT_PRIVATE_KEY: fields.privateKey,
});

loadDotEnv();
await runCommand(async () => {
  const args = process.argv.slice(2);
  if (args.length === 0 || args.includes('--help') || args[0] === 'help') {
    console.log(help);
    return exitCodes.done;
  }
  const { positionals } = readOptions(args, {});
  const [command, service, extra] = positionals;
  if (command !== 'rebuild') throw new UsageError(`There is no command ${JSON.stringify(command)}: it is rebuild.`);
  if (extra !== undefined) throw new UsageError(`${JSON.stringify(extra)} is one argument too many; leave it out.`);
  await rebuild(readService(service));
  return exitCodes.done;
}, 'npm run directory -- --help');

async function rebuild(service: ConsumerName): Promise<void> {
  const telemetry = commandTelemetry('directory');
  const db = await openDatabase(service, telemetry, [userDirectoryMigrations]);
  try {
    const { client, close } = authClient(service, telemetry);
    const stop = new AbortController();
    const interrupt = (): void => stop.abort();
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    const began = performance.now();
    const directory = createUserDirectory({ db, users: createUsersClient(client), telemetry });
    try {
      const { users, changed, unlisted } = await directory.sweeper.rebuild(stop.signal);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(`${users} users read from Auth in ${seconds} s: ${changed} were missing or different.`);
      if (unlisted > 0) console.log(`${unlisted} whom Auth did not list are asked for one by one, by the service.`);
    } catch (error) {
      if (stop.signal.aborted) throw new CommandFault('Interrupted; the service itself goes on with the rebuild.');
      throw new CommandFault(`The rebuild did not end here: ${errorText(error)}.`);
    } finally {
      await close();
    }
  } finally {
    await db.close();
  }
}

function authClient(service: ConsumerName, telemetry: Telemetry) {
  const { authUrl, ...identity } = authAccess(service);
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

function authAccess(service: ConsumerName) {
  const running = runningSuite();
  if (running !== undefined && isOfRunningSuite(service)) {
    const { issuer, clientId, privateKey } = running.consumers[service];
    return { authUrl: running.authUrl, issuer, clientId, privateKey: createPrivateKey(privateKey) };
  }
  const env = readEnv(outsideEnv, process.env);
  return {
    authUrl: env.AUTH_INTERNAL_URL,
    issuer: env.ISSUER,
    clientId: env.CLIENT_ID ?? service,
    privateKey: env.CLIENT_PRIVATE_KEY,
  };
}
