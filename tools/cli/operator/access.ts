import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { inboxMigrations } from '@taskwire/inbox';
import { createDatabase, requireMigrated, type Database, type MigrationSource } from '@taskwire/postgres';
import { createTelemetry, type Telemetry } from '@taskwire/telemetry';
import { outsideServers } from '../../../infra/local/outside.ts';
import { localFolder, readRunning, type ConsumerName, type Running } from '../../../infra/local/running-file.ts';
import { CommandFault } from './command.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A command's own telemetry; logs only errors, to stderr, so that stdout contains only the result. */
export function commandTelemetry(name: string): Telemetry {
  return createTelemetry({ service: name, level: 'error', stream: process.stderr });
}

/** The suite that `npm start` runs on this machine, once it is ready. */
export function runningSuite(): Running['ready'] {
  return readRunning(join(localFolder(), 'running.json'))?.ready;
}

/** Opens the database of a service: the one in its environment variable, or that of the running suite. @throws CommandFault with the remedy. */
export async function openDatabase(
  service: ConsumerName,
  telemetry: Telemetry,
  needs: readonly MigrationSource[] = [inboxMigrations],
): Promise<Database> {
  const variable = `${service.toUpperCase()}_DATABASE_URL`;
  const named = namedDatabase(service);
  const url = named ?? runningSuite()?.consumers[service].databaseUrl;
  if (url === undefined) {
    throw new CommandFault(
      `The suite is not running here (or not ready yet): start it in another terminal with npm start, or name a database with ${variable}.`,
    );
  }
  const which = named === undefined ? 'of the running suite' : `that ${variable} names`;
  const db = await createDatabase({ url, poolSize: 2, applicationName: 'taskwire operator', telemetry }).catch(
    (error: unknown) => {
      throw new CommandFault(`The database ${which} cannot be reached: ${errorText(error)}.`);
    },
  );
  try {
    await requireMigrated(db.pool, needs);
  } catch (error) {
    await db.close();
    throw new CommandFault(
      `The database ${which} is not one of ${service}, or not migrated (node services/${service}/src/migrate.ts): ${errorText(error)}.`,
    );
  }
  return db;
}

/** Whether the database opened by `openDatabase` belongs to the running suite. */
export function isOfRunningSuite(service: ConsumerName): boolean {
  const named = namedDatabase(service);
  const running = runningSuite();
  return running !== undefined && (named === undefined || named === running.consumers[service].databaseUrl);
}

/** Loads the variables of `.env`, as npm start does. */
export function loadDotEnv(): void {
  const file = join(root, '.env');
  if (existsSync(file)) process.loadEnvFile(file);
}

function namedDatabase(service: ConsumerName): string | undefined {
  try {
    return outsideServers(process.env).databases[service];
  } catch (error) {
    throw new CommandFault(errorText(error));
  }
}
