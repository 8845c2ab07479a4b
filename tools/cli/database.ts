import { Argument } from 'commander';
import { deadLetterEntity } from '@taskwire/dead-letters';
import { errorText } from '@taskwire/errors';
import { inboxMigrations } from '@taskwire/inbox';
import { createDatabase, requireMigrated, type Database, type MigrationSource } from '@taskwire/postgres';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { externalServers } from '../../infra/local/external-servers.ts';
import { consumerNames, type ConsumerName } from '../../infra/local/running-file.ts';
import { CommandFault, type CommandProcess } from './command-process.ts';
import { runningSuite, type Environment } from './suite-environment.ts';

/** The argument of every command that works on one service's database. */
export function serviceArgument(): Argument {
  return new Argument('<service>', 'the service whose database is used').choices(consumerNames);
}

/** A command's own telemetry; logs only errors, to standard error. */
export function commandTelemetry({ stderr }: CommandProcess): Telemetry {
  return createTelemetry({ service: 'taskwire', level: 'error', stream: stderr });
}

/** Opens the database of a service: the one in its environment variable, or that of the running suite. @throws CommandFault with the remedy. */
export async function openDatabase(
  service: ConsumerName,
  env: Environment,
  { telemetry, needs = [inboxMigrations] }: { telemetry: Telemetry; needs?: readonly MigrationSource[] },
): Promise<Database> {
  const variable = `${service.toUpperCase()}_DATABASE_URL`;
  const named = namedDatabase(service, env);
  const url = named ?? runningSuite(env)?.consumers[service].databaseUrl;
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

/** Whether the database opened by `openDatabase` belongs to the running suite. */
export function isOfRunningSuite(service: ConsumerName, env: Environment): boolean {
  const named = namedDatabase(service, env);
  const running = runningSuite(env);
  return running !== undefined && (named === undefined || named === running.consumers[service].databaseUrl);
}

function namedDatabase(service: ConsumerName, env: Environment): string | undefined {
  try {
    return externalServers(env).databases[service];
  } catch (error) {
    throw new CommandFault(errorText(error));
  }
}
