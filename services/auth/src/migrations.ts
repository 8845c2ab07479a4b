import { outboxMigrations } from '@taskwire/outbox';
import type { MigrationSource } from '@taskwire/postgres';

/** All migrations of Auth's database. */
export const migrations: readonly MigrationSource[] = [
  { name: 'auth', directory: new URL('../migrations/', import.meta.url) },
  outboxMigrations,
];
