export { openChangeRecord, type ChangeRecord } from './change-record.ts';
export { relayLock } from './locks.ts';
export {
  maxPartitions,
  partitionHeader,
  partitionSql,
  partitionsOf,
  type Partition,
  type Partitions,
} from './partitions.ts';
export {
  partitionMigrations,
  partitionRetention,
  readPartitionRecord,
  type PartitionPhase,
  type PartitionRecord,
} from './record.ts';
export { createPartitionWatch, type PartitionWatch } from './watch.ts';
