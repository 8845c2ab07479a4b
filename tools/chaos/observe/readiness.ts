import { errorText } from '@taskwire/errors';
import type { Replica } from '../suite/under-test.ts';

/** Watches from outside whether the services' processes report that they are ready. */
export type ReadinessWatch = {
  /** Describes the processes that were not ready at the last check; empty if all were ready. */
  missing(): string[];
  /** The periods in which a process was not ready; an ongoing period counts as ending now. */
  outages(): readonly Outage[];
  stop(): Promise<void>;
};

export type Outage = { of: Replica['name']; from: number; to: number };

const everyMs = 250;

export function watchReadiness(replicas: readonly Replica[], now: () => number): ReadinessWatch {
  const outages: Outage[] = [];
  const open = new Map<Replica['name'], Outage>();
  const missing = new Map<Replica['name'], string>();
  let busy: Promise<unknown> = Promise.resolve();

  async function look({ name, url }: Replica): Promise<void> {
    const at = now();
    const lack = await lackOf(`${url}/ready`);
    const ready = lack === undefined;
    if (ready) missing.delete(name);
    else missing.set(name, lack);
    const outage = open.get(name);
    if (ready && outage !== undefined) {
      outage.to = now();
      open.delete(name);
    } else if (!ready && outage === undefined) {
      const begun = { of: name, from: at, to: Infinity };
      outages.push(begun);
      open.set(name, begun);
    }
  }

  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    busy = Promise.all(replicas.map(look)).finally(() => (looking = false));
  }, everyMs);
  return {
    missing: () => [...missing].map(([name, lack]) => `${name} is not ready: ${lack}`),
    outages: () => outages.map((outage) => ({ ...outage, to: Math.min(outage.to, now()) })),
    async stop() {
      clearInterval(timer);
      await busy;
    },
  };
}

async function lackOf(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const { checks } = (await response.json()) as { checks?: Record<string, { ok: boolean; detail?: string }> };
    if (response.ok) return undefined;
    const failed = Object.entries(checks ?? {}).filter(([, { ok }]) => !ok);
    return failed.map(([name, { detail }]) => `${name} (${detail})`).join(', ');
  } catch (error) {
    return errorText(error);
  }
}

/**
 * The time from the end of a fault until the last process is ready again, in milliseconds. An outage is attributed to the last fault that began
 * before it, although an earlier fault may still be active.
 */
export function recoveredAfter(
  fault: { began: number; ended: number },
  nextBegan: number,
  outages: readonly Outage[],
): number {
  const caused = outages.filter(({ from }) => from >= fault.began && from < nextBegan);
  return Math.max(0, ...caused.map(({ to }) => to - fault.ended));
}
