import { Argument } from 'commander';
import { deadLetterEntity } from '@taskwire/dead-letters';
import { errorText } from '@taskwire/errors';
import { inboxMigrations } from '@taskwire/inbox';
import { createDatabase, requireMigrated, type Database, type MigrationSource } from '@taskwire/postgres';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { externalServers } from '../../infra/local/external-servers.ts';
import { consumerNames, type ConsumerName } from '../../infra/local/running-file.ts';
import { authEnvironment } from './auth.ts';
import type { ServiceName } from '../../infra/local/secrets.ts';
import { CommandFault, type CommandProcess } from './command-process.ts';
import { runningSuite, type Environment } from './suite-environment.ts';

/** The argument of every command that works on one service's database. */
export function serviceArgument(): Argument {
  return new Argument('<service>', 'the service whose database is used').choices(consumerNames);
}

/** Creates a command's own telemetry, which logs only errors, to standard error. */
export function commandTelemetry({ stderr }: CommandProcess): Telemetry {
  return createTelemetry({ service: 'taskwire', level: 'error', stream: stderr });
}

/** Opens the database of a service: the one named by its environment variable, or that of the running suite. @throws CommandFault with the remedy. */
export async function openDatabase(
  service: ServiceName,
  env: Environment,
  { telemetry, needs = [inboxMigrations] }: { telemetry: Telemetry; needs?: readonly MigrationSource[] },
): Promise<Database> {
  const variable = `${service.toUpperCase()}_DATABASE_URL`;
  const named = namedDatabase(service, env);
  const url = named ?? (await runningDatabase(service, env));
  if (url === undefined) {
    throw new CommandFault(
      `The suite is not running on this machine, or is not ready. Start it in another terminal with npm start, or name a database with ${variable}.`,
    );
  }
  const which = named === undefined ? 'of the running suite' : `that ${variable} names`;
  const db = await createDatabase({
    url,
    poolSize: 2,
    applicationName: 'taskwire operator',
    entities: [deadLetterEntity],
    telemetry,
  }).catch((error: unknown) => {
    throw new CommandFault(`The database ${which} cannot be reached: ${errorText(error)}.`);
  });
  try {
    await requireMigrated(db.pool, needs);
  } catch (error) {
    await db.close();
    throw new CommandFault(
      `The database ${which} does not belong to ${service}, or is not migrated (node services/${service}/src/migrate.ts): ${errorText(error)}.`,
    );
  }
  return db;
}

/** Opens the database of Auth. @throws CommandFault with the remedy. */
export async function openAuthDatabase(env: Environment, telemetry: Telemetry): Promise<Database> {
  const { DATABASE_URL: url } = await authEnvironment(env);
  if (url === undefined) throw new CommandFault("Set DATABASE_URL to the URL of Auth's database.");
  return await createDatabase({ url, poolSize: 2, applicationName: 'taskwire operator', telemetry }).catch(
    (error: unknown) => {
      throw new CommandFault(`The database of Auth cannot be reached: ${errorText(error)}.`);
    },
  );
}

/** Whether the database opened by `openDatabase` belongs to the running suite. */
export function isOfRunningSuite(service: ConsumerName, env: Environment): boolean {
  const named = namedDatabase(service, env);
  const running = runningSuite(env);
  return running !== undefined && (named === undefined || named === running.consumers[service].databaseUrl);
}

/** The database of a service in the running suite. */
async function runningDatabase(service: ServiceName, env: Environment): Promise<string | undefined> {
  const running = runningSuite(env);
  if (running === undefined || service !== 'auth') return running?.consumers[service as ConsumerName].databaseUrl;
  // an image does not contain the code that starts a suite
  const { suiteAuthEnvironment } = await import('./suite-auth-environment.ts');
  return suiteAuthEnvironment(env)['DATABASE_URL'];
}

function namedDatabase(service: ServiceName, env: Environment): string | undefined {
  try {
    return externalServers(env).databases[service];
  } catch (error) {
    throw new CommandFault(errorText(error));
  }
}
