import { expect } from 'chai';
import { readPartitionRecord, type PartitionRecord } from '@taskwire/partitions';
import { waitFor, type PartitionedSuite } from '@taskwire/testing';
import { runTaskwire } from './run-taskwire.ts';

export const aggregates = Array.from({ length: 10 }, (_, n) => `task-${n}`);

/** Runs `taskwire partitions` for a suite. */
export async function runPartitions({ databases, broker }: PartitionedSuite, ...args: string[]) {
  return await runTaskwire(['partitions', ...args], {
    AUTH_DATABASE_URL: databases.auth.url,
    TASKS_DATABASE_URL: databases.tasks.url,
    NOTIFICATIONS_DATABASE_URL: databases.notifications.url,
    AMQP_URL: broker.url(),
  });
}

/** The record of each database. */
export async function recorded({ databases }: PartitionedSuite): Promise<PartitionRecord[]> {
  return await Promise.all(Object.values(databases).map(async ({ db }) => await readPartitionRecord(db.pool)));
}

/** Returns the expected result of `recorded` when no change is in progress. */
export function running(count: number): PartitionRecord[] {
  return Array.from({ length: 3 }, () => ({ count, phase: 'running', next_count: null }));
}

/** Resolves when every event was handled. @throws unless each was handled once, in the order of its aggregate. */
export async function handled(suite: PartitionedSuite): Promise<void> {
  const total = [...suite.expected().values()].flat().length;
  await waitFor(async () => [...(await suite.effects()).values()].flat().length >= total, { timeoutMs: 30_000 });
  const byId = (map: Map<string, number[]>) => [...map].toSorted(([a], [b]) => a.localeCompare(b));
  expect(byId(await suite.effects())).to.deep.equal(byId(suite.expected()));
}
