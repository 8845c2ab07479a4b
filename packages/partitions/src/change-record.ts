import { query, type Database } from '@taskwire/postgres';
import type { PoolClient } from 'pg';
import { changeLock, relayLock } from './locks.ts';
import { readPartitionRecord, type PartitionRecord } from './record.ts';

/** A database whose number of partitions is being changed. Its session holds the locks until `close`, or until the session is lost. */
export type ChangeRecord = {
  read(): Promise<PartitionRecord>;
  write(record: PartitionRecord): Promise<void>;
  /** Resolves to whether no other change is under way in this database. */
  tryLockChange(): Promise<boolean>;
  /** Resolves to true once no relay of this database is leader; from then on, none can become leader until `close`. */
  tryLockRelays(): Promise<boolean>;
  close(): Promise<void>;
};

export async function openChangeRecord(db: Database): Promise<ChangeRecord> {
  const client = await db.pool.connect();
  let lost: Error | undefined;
  client.on('error', (error) => (lost = error));
  const tryLock = async (key: string): Promise<boolean> => {
    const [row] = await query<{ locked: boolean }>(client, 'SELECT pg_try_advisory_lock($1::bigint) AS locked', [key]);
    return row?.locked === true;
  };
  return {
    read: async () => await readPartitionRecord(client),
    write: async (record) => await write(client, record),
    tryLockChange: async () => await tryLock(changeLock),
    tryLockRelays: async () => await tryLock(relayLock),
    async close() {
      // ends the session, which releases its locks
      client.release(lost ?? true);
      await db.close();
    },
  };
}

async function write(client: PoolClient, { count, phase, next_count }: PartitionRecord): Promise<void> {
  await query(client, 'UPDATE event_partitions SET count = $1, phase = $2, next_count = $3', [
    count,
    phase,
    next_count,
  ]);
}
