export { claimDue, type ClaimDue } from './claim-due.ts';
export { cursorInstant, listCursors, type Cursors, type List } from './cursor.ts';
export { createDatabase, type Database, type DatabaseOptions } from './database.ts';
export {
  migrate,
  migrationStatus,
  refuseNewerDatabase,
  requireMigrated,
  type Applied,
  type MigrationSource,
  type MigrationStatus,
} from './migrate.ts';
export { query, type LastWork, type Queryable, type Statement, type Tx } from './query.ts';
export { pinSession } from './session.ts';
export { isoMicros, isSqlState, sqlState } from './sql.ts';
export { outageOf, outageText, type Outage } from './unavailable.ts';
