import { inboxMigrations } from '@taskwire/inbox';
import { outboxMigrations } from '@taskwire/outbox';
import { partitionMigrations } from '@taskwire/partitions';
import type { MigrationSource } from '@taskwire/postgres';
import { userDirectoryMigrations } from '@taskwire/user-directory';

/** All migrations of the Tasks database. */
export const migrations: readonly MigrationSource[] = [
  { name: 'tasks', directory: new URL('../migrations/', import.meta.url) },
  userDirectoryMigrations,
  outboxMigrations,
  inboxMigrations,
  partitionMigrations,
];
