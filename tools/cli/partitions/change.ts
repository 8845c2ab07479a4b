import { setTimeout as delay } from 'node:timers/promises';
import type { ChangeRecord, PartitionRecord } from '@taskwire/partitions';
import type { EventQueueAdmin, QueueState } from '@taskwire/rabbit';

export type PartitionChange = {
  /** By service. */
  records: Readonly<Record<string, ChangeRecord>>;
  queues: EventQueueAdmin;
  /** The new number of partitions. */
  count: number;
  /** How long to wait until the queues are empty. */
  timeoutMs: number;
  /** Ends the waits. */
  signal: AbortSignal;
  report(line: string): void;
  /** Called after each step; tests abort the change there, to simulate a kill. */
  onStep?: ((step: string) => void) | undefined;
};

/** The change was refused, and the suite continues with the old number. The message names the reason and the remedy. */
export class PartitionChangeRefused extends Error {
  override readonly name = 'PartitionChangeRefused';
}

const pollMs = 500;
const reportEveryMs = 5_000;
/** Processes read the record every second. A process that read it just before the change may still start to consume within this time. */
const graceMs = 3_000;
/**
 * A relay or consumer stops within 6 s: a second until its next poll, plus 5 s for its messages. The broker closes the connection of a frozen one
 * after 15 s.
 */
const processesEndMs = 20_000;

/**
 * Changes the number of partitions in all databases and on the broker: relays stop, the queues drain, the consumers stop, the queues are replaced,
 * and the new number is recorded. An interrupted change can be run again, even with another number. Resolves to whether a change was necessary.
 * @throws PartitionChangeRefused
 */
export async function changePartitions(change: PartitionChange): Promise<boolean> {
  await lockChange(change);
  await finishRecorded(change);
  const before = await readAll(change);
  if (before.every(({ phase, count }) => phase === 'running' && count === change.count)) return false;
  if (isRestored(before) && (await change.queues.areOf(change.count))) {
    await restore(change, change.count);
    return true;
  }
  // if the queues may have been replaced, an interrupted change cannot return to the old number
  const isExchanging = before.every(({ phase }) => phase === 'switching');
  if (!isExchanging && before.every(({ count }) => count === change.count)) {
    await restore(change, change.count);
    return true;
  }
  try {
    if (!isExchanging) await mark(change, 'draining');
    await stopRelays(change);
    await drain(change);
  } catch (error) {
    if (error instanceof PartitionChangeRefused && !isExchanging) await restore(change);
    throw error;
  }
  await change.queues.replace(change.count);
  change.onStep?.('queues exchanged');
  for (const [service, record] of Object.entries(change.records)) {
    await record.write({ count: change.count, phase: 'switching', next_count: change.count });
    change.onStep?.(`number recorded in ${service}`);
  }
  await finishRecorded(change);
  return true;
}

async function lockChange({ records }: PartitionChange): Promise<void> {
  for (const [service, record] of Object.entries(records)) {
    if (await record.tryLockChange()) continue;
    throw new PartitionChangeRefused(
      `Another change of the partitions is under way in the database of ${service}. Wait for its end.`,
    );
  }
}

/** Lets the services work again once every database has the new number. From then on, the new queues receive messages. */
async function finishRecorded(change: PartitionChange): Promise<void> {
  const all = await readAll(change);
  const [first] = all;
  const isRecorded = all.every(({ count, phase, next_count }) => {
    return count === first?.count && (phase === 'running' || (phase === 'switching' && count === next_count));
  });
  if (!isRecorded || all.every(({ phase }) => phase === 'running')) return;
  for (const [service, record] of Object.entries(change.records)) {
    const { count } = await record.read();
    await record.write({ count, phase: 'running', next_count: null });
    change.onStep?.(`${service} released`);
  }
}

async function readAll({ records }: PartitionChange): Promise<PartitionRecord[]> {
  return await Promise.all(Object.values(records).map(async (record) => await record.read()));
}

async function mark(change: PartitionChange, phase: 'draining' | 'switching'): Promise<void> {
  for (const [service, record] of Object.entries(change.records)) {
    const { count } = await record.read();
    await record.write({ count, phase, next_count: change.count });
    change.onStep?.(`${phase} recorded in ${service}`);
  }
}

/** Takes the lock of each outbox, which its relays release when they read the change in the record. */
async function stopRelays(change: PartitionChange): Promise<void> {
  for (const [service, record] of Object.entries(change.records)) {
    const stopped = async (): Promise<string | undefined> =>
      (await record.tryLockRelays()) ? undefined : `The relay of ${service} still publishes.`;
    await until(change, stopped, processesEndMs);
    change.onStep?.(`relays of ${service} stopped`);
  }
}

/** Resolves when no queue has messages or consumers, and none can get any, because relays have stopped and consumers may not start. */
async function drain(change: PartitionChange): Promise<void> {
  for (;;) {
    const hasStopped = (await readAll(change)).every(({ phase }) => phase === 'switching');
    if (!hasStopped) {
      await until(change, async () => waiting(await change.queues.state()), change.timeoutMs);
      await mark(change, 'switching');
    }
    const consumed = async (): Promise<string | undefined> => {
      const busy = (await change.queues.state()).filter(({ consumers }) => consumers > 0);
      return busy.length === 0 ? undefined : `${busy.map(({ name }) => name).join(', ')} still have a consumer.`;
    };
    await until(change, consumed, processesEndMs);
    await delay(graceMs, undefined, { signal: change.signal }).catch(() => undefined);
    const left = (await consumed()) ?? waiting(await change.queues.state());
    if (left === undefined) return;
    change.report(left);
    if (new Set((await readAll(change)).map(({ count }) => count)).size > 1) {
      throw new Error(
        `${left} The databases record different numbers of partitions, so no service can handle these messages.`,
      );
    }
    // consumers returned messages to the queues when they stopped, so they must run again to handle these
    await mark(change, 'draining');
  }
}

function waiting(queues: readonly QueueState[]): string | undefined {
  const full = queues.filter(({ messages }) => messages > 0);
  if (full.length === 0) return undefined;
  const list = full.map(
    ({ name, messages, consumers }) => `${name} ${messages}${consumers === 0 ? ' (no consumer)' : ''}`,
  );
  return `Messages wait in ${list.join(', ')}.`;
}

/** Waits until `obstacle` resolves to undefined. */
async function until(
  { signal, report }: PartitionChange,
  obstacle: () => Promise<string | undefined>,
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let reportAt = performance.now();
  for (;;) {
    const found = await obstacle();
    if (found === undefined) return;
    if (signal.aborted) throw new PartitionChangeRefused(`Interrupted. ${found}`);
    if (performance.now() > deadline) {
      throw new PartitionChangeRefused(
        `${found} The number of partitions is unchanged. Let workers with the old number handle the messages, and try again.`,
      );
    }
    if (performance.now() > reportAt) {
      report(found);
      reportAt = performance.now() + reportEveryMs;
    }
    await delay(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Whether the numbers differ although no change was interrupted: some of the databases were restored to a time before the last change. */
function isRestored(records: readonly PartitionRecord[]): boolean {
  return records.every(({ phase }) => phase === 'running') && new Set(records.map(({ count }) => count)).size > 1;
}

/** Lets the services work with this number, or with their recorded one, for which the queues exist. */
async function restore(change: PartitionChange, count?: number): Promise<void> {
  for (const record of Object.values(change.records)) {
    const found = await record.read();
    await record.write({ count: count ?? found.count, phase: 'running', next_count: null });
  }
}
