import { outboxMigrations } from '@taskwire/outbox';
import type { MigrationSource } from '@taskwire/postgres';

/** Everything that Auth's database has. */
export const migrations: readonly MigrationSource[] = [
  { name: 'auth', directory: new URL('../migrations/', import.meta.url) },
  outboxMigrations,
];
