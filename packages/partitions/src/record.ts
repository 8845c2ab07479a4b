import { query, type MigrationSource, type Queryable, type TableRetention } from '@taskwire/postgres';

export const partitionMigrations: MigrationSource = {
  name: 'partitions',
  directory: new URL('../migrations/', import.meta.url),
};

export const partitionRetention = {
  rules: [],
  kept: { event_partitions: 'one row, the number of partitions of events' },
} as const satisfies TableRetention;

/** `running`: relays publish and consumers consume. `draining`: only consumers work. `switching`: neither works. */
export type PartitionPhase = 'running' | 'draining' | 'switching';

export type PartitionRecord = {
  count: number;
  phase: PartitionPhase;
  /** The number of partitions after the change that is in progress. */
  next_count: number | null;
};

export async function readPartitionRecord(db: Queryable): Promise<PartitionRecord> {
  const [row] = await query<PartitionRecord>(db, 'SELECT count, phase, next_count FROM event_partitions');
  if (row === undefined) throw new Error('the table event_partitions has lost its row');
  return row;
}
