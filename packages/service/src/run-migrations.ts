import { databaseEnv, readEnvOrExit } from '@taskwire/env';
import { migrate, type MigrationSource } from '@taskwire/postgres';

type Process = Parameters<typeof readEnvOrExit>[1] & { stdout: Pick<NodeJS.WriteStream, 'write'> };

/** The program of a service's `migrate.ts`: migrates the database and prints the applied migrations. Exits with code 78 if DATABASE_URL is invalid. */
export async function runMigrations(
  service: string,
  migrations: readonly MigrationSource[],
  process: Process,
): Promise<void> {
  const { DATABASE_URL } = readEnvOrExit(databaseEnv, process);
  const applied = await migrate(DATABASE_URL, migrations);
  const result = applied.length === 0 ? 'nothing to migrate' : `migrated ${applied.join(', ')}`;
  process.stdout.write(`${service}: ${result}\n`);
}
