export { claimDue, type ClaimDue } from './claim-due.ts';
export { composeLists } from './compose-lists.ts';
export { createDatabase, type DatabaseOptions } from './database.ts';
export { deleteInBatches } from './delete-in-batches.ts';
export { defineEntity, type ColumnDefinition, type Entity } from './entity.ts';
export type { Database, LastWork, List, Queryable, Statement, Tx } from './handles.ts';
export { keyset, pageOf, type Keyset, type Page, type Place } from './keyset.ts';
export {
  migrate,
  migrationStatus,
  refuseNewerDatabase,
  requireMigrated,
  type Applied,
  type MigrationSource,
  type MigrationStatus,
} from './migrate.ts';
export { query } from './query.ts';
export { createRetention, type RetentionRule } from './retention.ts';
export { pinSession } from './session.ts';
export { isoMicros, isSqlState, nextTimestamp, sqlState } from './sql.ts';
export { outageOf, outageText, type Outage } from './unavailable.ts';
