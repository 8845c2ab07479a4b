import type { MigrationSource } from '@taskwire/postgres';

/** The tables of the directory: `directory_users`, which services may join, and `directory_reconciliation`. */
export const userDirectoryMigrations: MigrationSource = {
  name: 'user-directory',
  directory: new URL('../migrations/', import.meta.url),
};
