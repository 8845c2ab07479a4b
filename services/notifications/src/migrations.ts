import { inboxMigrations } from '@taskwire/inbox';
import { partitionMigrations } from '@taskwire/partitions';
import type { MigrationSource } from '@taskwire/postgres';
import { userDirectoryMigrations } from '@taskwire/user-directory';

/** All migrations of the Notifications database. */
export const migrations: readonly MigrationSource[] = [
  inboxMigrations,
  userDirectoryMigrations,
  { name: 'notifications', directory: new URL('../migrations/', import.meta.url) },
  partitionMigrations,
];
