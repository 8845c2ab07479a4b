import { createLoop, type Component } from '@taskwire/lifecycle';
import { isSqlState, sqlState, type Database } from '@taskwire/postgres';
import { metricsOnce, type Telemetry } from '@taskwire/telemetry';
import { Gauge } from 'prom-client';
import type { Partitions } from './partitions.ts';
import { readPartitionRecord, type PartitionRecord } from './record.ts';

/**
 * Compares a process's number of partitions with the record of its database. `start` rejects if they differ, or if a change was interrupted while its
 * queues were exchanged. While the database cannot be read, the last record read remains valid.
 */
export type PartitionWatch = Component & {
  partitions: Partitions;
  /** Reads the record. Resolves to a signal that is aborted when this process may no longer publish, or to undefined if it may not publish now. */
  relaying(): Promise<AbortSignal | undefined>;
  /** Reads the record. Resolves to a signal that is aborted when this process may no longer consume. @throws the reason if it may not consume now. */
  consuming(): Promise<AbortSignal>;
  /** Whether this process may declare its queues, by the last record. */
  mayDeclare(): boolean;
  /** The readiness check. @throws the reason why this process may not consume, by the last record. */
  ready(): Promise<void>;
};

/**
 * A change of partitions waits until every process has read the record, so this interval bounds the duration of a change. The statement reads only
 * one row.
 */
const pollMs = 1_000;

const partitionMetrics = metricsOnce((registry) => ({
  partitions: new Gauge({
    name: 'event_partitions',
    help: 'The number of partitions of events. Alert when the sum of outbox_relay_leader over a service differs from it.',
    registers: [registry],
  }),
}));

export function createPartitionWatch(options: {
  db: Database;
  partitions: Partitions;
  telemetry: Telemetry;
}): PartitionWatch {
  const { db, partitions, telemetry } = options;
  const { count } = partitions;
  let last: PartitionRecord | undefined;
  let relayTerm = new AbortController();
  let consumeTerm = new AbortController();
  partitionMetrics(telemetry.metrics).partitions.set(count);

  async function read(): Promise<PartitionRecord> {
    const record = await readPartitionRecord(db.pool);
    last = record;
    if (!mayRelay(record, count)) relayTerm.abort(new Error('the number of event partitions is being changed'));
    const fault = consumeFault(record, count);
    if (fault !== undefined) consumeTerm.abort(new Error(fault));
    return record;
  }

  const loop = createLoop({
    name: 'watch of the event partitions',
    logger: telemetry.logger,
    intervalMs: pollMs,
    maxBackOffMs: 5_000,
    async tick() {
      await read();
      return 'idle';
    },
  });

  return {
    name: loop.name,
    partitions,
    async start() {
      try {
        const fault = consumeFault(await read(), count);
        if (fault !== undefined) throw new Error(fault);
      } catch (error) {
        // the database is not migrated yet: the readiness check reports this, and nothing is relayed or consumed until the record can be read
        if (!isSqlState(error, sqlState.undefinedTable)) throw error;
      }
      await loop.start();
    },
    stop: loop.stop,
    async relaying() {
      if (!mayRelay(await read(), count)) return undefined;
      if (relayTerm.signal.aborted) relayTerm = new AbortController();
      return relayTerm.signal;
    },
    async consuming() {
      const fault = consumeFault(await read(), count);
      if (fault !== undefined) throw new Error(fault);
      if (consumeTerm.signal.aborted) consumeTerm = new AbortController();
      return consumeTerm.signal;
    },
    mayDeclare: () => last === undefined || consumeFault(last, count) === undefined,
    async ready() {
      const fault = last === undefined ? undefined : consumeFault(last, count);
      if (fault !== undefined) throw new Error(fault);
    },
  };
}

function mayRelay(record: PartitionRecord, count: number): boolean {
  return record.phase === 'running' && record.count === count;
}

/** Returns why a process with this number may not consume; undefined if it may. */
function consumeFault(record: PartitionRecord, count: number): string | undefined {
  if (record.phase === 'switching') {
    const command = `npm run taskwire -- partitions ${record.next_count}`;
    return `the number of event partitions is being changed to ${record.next_count}; if ${command} was interrupted, run it again`;
  }
  if (record.count === count) return undefined;
  const change = `npm run taskwire -- partitions ${count}`;
  return `EVENT_PARTITIONS is ${count}, but the database records ${record.count}: set EVENT_PARTITIONS=${record.count}, or change the record with ${change}`;
}
