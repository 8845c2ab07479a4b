import { outboxMigrations } from '@taskwire/outbox';
import { partitionMigrations } from '@taskwire/partitions';
import type { MigrationSource } from '@taskwire/postgres';

/** All migrations of Auth's database. */
export const migrations: readonly MigrationSource[] = [
  { name: 'auth', directory: new URL('../migrations/', import.meta.url) },
  outboxMigrations,
  partitionMigrations,
];
