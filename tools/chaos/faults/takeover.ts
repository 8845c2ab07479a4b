import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import type { ServiceName } from '../../../infra/local/secrets.ts';
import type { Takeover } from '../evidence.ts';
import type { Replica, SuiteUnderTest } from '../suite/under-test.ts';

/** The work of each service that only one of its two processes does at a time: publishing from the outbox, or consuming the queue. */
const work: Record<ServiceName, Takeover['work']> = { auth: 'relay', tasks: 'relay', notifications: 'consumer' };

const lookEveryMs = 50;
/** Longer than any takeover may take. After this time, the work counts as not taken over. */
const takeoverTimeoutMs = 15_000;

/**
 * Kills the process that does the work of a service, and returns the time until the other process did this work. Returns undefined if no process did
 * it before the kill. The killed process is still down when this resolves.
 */
export async function killWorker(
  underTest: SuiteUnderTest,
  service: ServiceName,
  signal: AbortSignal,
): Promise<Takeover | undefined> {
  const replicas = underTest.replicas(service);
  const worker = await findWorker(replicas, work[service], signal);
  if (worker === undefined) return undefined;
  const others = replicas.filter((one) => one !== worker);
  const before = await Promise.all(others.map(async (one) => await deliveries(one).catch(() => 0)));
  const killedAt = performance.now();
  await underTest.process(worker.name).kill();
  const takenOver = async (): Promise<boolean> => {
    if (work[service] === 'relay') return (await Promise.all(others.map(isOwner))).includes(true);
    const now = await Promise.all(others.map(deliveries));
    return now.some((count, index) => count > before[index]!);
  };
  for (;;) {
    const isDone = await takenOver().catch(() => false);
    const ms = performance.now() - killedAt;
    if (isDone || ms > takeoverTimeoutMs) return { service, work: work[service], killed: worker.name, ms };
    await delay(lookEveryMs, undefined, { signal });
  }
}

/** Searches for a few seconds: at the start of the traffic, there may be no events to consume yet. */
async function findWorker(
  replicas: readonly Replica[],
  what: Takeover['work'],
  signal: AbortSignal,
): Promise<Replica | undefined> {
  const first = await Promise.all(replicas.map(deliveries));
  for (const began = performance.now(); performance.now() - began < takeoverTimeoutMs;) {
    for (const [index, replica] of replicas.entries()) {
      const does = what === 'relay' ? await isOwner(replica) : (await deliveries(replica)) > first[index]!;
      if (does) return replica;
    }
    await delay(lookEveryMs, undefined, { signal });
  }
  return undefined;
}

async function isOwner(replica: Replica): Promise<boolean> {
  return (await sumOfMetric(replica, 'outbox_relay_leader')) === 1;
}

async function deliveries(replica: Replica): Promise<number> {
  return await sumOfMetric(replica, 'rabbit_deliveries_total');
}

/** The sum of a metric over all its labels. @throws if the process does not respond. */
async function sumOfMetric({ name, url }: Replica, metric: string): Promise<number> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2_000) }).catch((error: unknown) => {
    throw new Error(`${name} does not report its metrics: ${errorText(error)}`);
  });
  const lines = (await response.text()).split('\n').filter((line) => /^\w+/.exec(line)?.[0] === metric);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
