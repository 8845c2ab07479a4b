import { databaseEnv, readEnvOrExit } from '@taskwire/env';
import { migrate, type MigrationSource } from '@taskwire/postgres';

type Process = Parameters<typeof readEnvOrExit>[1] & { stdout: Pick<NodeJS.WriteStream, 'write'> };

/** Migrates a service's database, as its `migrate.ts`: prints what was applied, and ends the process with code 78 if DATABASE_URL is unusable. */
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
