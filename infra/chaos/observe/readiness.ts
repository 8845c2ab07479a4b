import { errorText } from '@taskwire/errors';
import { serviceNames, type ServiceName } from '../../local/secrets.ts';

/** Watches from outside whether the services say that they are ready. */
export type ReadinessWatch = {
  /** What was missing when it was looked last, in words; empty when all were ready. */
  missing(): string[];
  /** Spans in which a service was not ready; one that lasts ends now. */
  outages(): readonly Outage[];
  stop(): Promise<void>;
};

export type Outage = { service: ServiceName; from: number; to: number };

const everyMs = 250;

export function watchReadiness(serviceUrl: (service: ServiceName) => string, now: () => number): ReadinessWatch {
  const outages: Outage[] = [];
  const open = new Map<ServiceName, Outage>();
  const missing = new Map<ServiceName, string>();
  let busy: Promise<unknown> = Promise.resolve();

  async function look(service: ServiceName): Promise<void> {
    const at = now();
    const lack = await lackOf(`${serviceUrl(service)}/ready`);
    const ready = lack === undefined;
    if (ready) missing.delete(service);
    else missing.set(service, lack);
    const outage = open.get(service);
    if (ready && outage !== undefined) {
      outage.to = now();
      open.delete(service);
    } else if (!ready && outage === undefined) {
      const begun = { service, from: at, to: Infinity };
      outages.push(begun);
      open.set(service, begun);
    }
  }

  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    busy = Promise.all(serviceNames.map(look)).finally(() => (looking = false));
  }, everyMs);
  return {
    missing: () => [...missing].map(([service, lack]) => `${service} is not ready: ${lack}`),
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
 * How long after the end of a fault the last service was ready again, in milliseconds. A service that stops being ready does so because of the
 * fault that began last before, although another one may still go on.
 */
export function recoveredAfter(
  fault: { began: number; ended: number },
  nextBegan: number,
  outages: readonly Outage[],
): number {
  const caused = outages.filter(({ from }) => from >= fault.began && from < nextBegan);
  return Math.max(0, ...caused.map(({ to }) => to - fault.ended));
}
