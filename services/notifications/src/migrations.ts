import { inboxMigrations } from '@taskwire/inbox';
import type { MigrationSource } from '@taskwire/postgres';
import { userDirectoryMigrations } from '@taskwire/user-directory';

/** Everything that Notifications' database has. */
export const migrations: readonly MigrationSource[] = [
  inboxMigrations,
  userDirectoryMigrations,
  { name: 'notifications', directory: new URL('../migrations/', import.meta.url) },
];
