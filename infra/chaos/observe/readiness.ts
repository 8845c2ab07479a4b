import { serviceNames, type ServiceName } from '../../local/secrets.ts';

/** Watches from outside whether the services say that they are ready. */
export type ReadinessWatch = {
  /** Whether all were, when it was looked last. */
  allReady(): boolean;
  /** Spans in which a service was not ready, the last one open (`to` Infinity) if it is not now. */
  outages(): readonly Outage[];
  stop(): Promise<void>;
};

export type Outage = { service: ServiceName; from: number; to: number };

const everyMs = 250;

export function watchReadiness(serviceUrl: (service: ServiceName) => string, now: () => number): ReadinessWatch {
  const outages: Outage[] = [];
  const open = new Map<ServiceName, Outage>();
  let busy: Promise<unknown> = Promise.resolve();

  async function look(service: ServiceName): Promise<void> {
    const at = now();
    const ready = await fetch(`${serviceUrl(service)}/ready`, { signal: AbortSignal.timeout(2_000) }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.ok;
      },
      () => false,
    );
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
    allReady: () => open.size === 0,
    outages: () => outages,
    async stop() {
      clearInterval(timer);
      await busy;
    },
  };
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
