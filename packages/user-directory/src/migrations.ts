import type { MigrationSource, TableRetention } from '@taskwire/postgres';

/** The tables of the directory: `directory_users`, which services may join, and `directory_reconciliation`. */
export const userDirectoryMigrations: MigrationSource = {
  name: 'user-directory',
  directory: new URL('../migrations/', import.meta.url),
};

export const userDirectoryRetention = {
  rules: [],
  kept: {
    directory_users:
      'one row for each user of Auth; a deleted user stays as a tombstone without name and address, so that no late event revives them',
    directory_reconciliation: 'one row, the progress of the reconciliation',
  },
} as const satisfies TableRetention;
