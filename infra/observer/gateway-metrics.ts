import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { z } from 'zod';

/** The services behind the gateway; `none` stands for responses that concern no service, such as those of /docs and of unknown paths. */
const services = ['auth', 'tasks', 'notifications', 'none'] as const;
const classes = ['2xx', '3xx', '4xx', '5xx', 'other'] as const;

const line = z.object({
  status: z.number(),
  seconds: z.number(),
  behind: z.enum(['auth', 'tasks', 'notifications', '']),
  waits: z.string(),
});

export type GatewayMetrics = {
  /** Counts a datagram of nginx: one line of the access log, after a header of syslog. A datagram of another form is only counted as unreadable. */
  count(datagram: string): void;
};

/**
 * Registers the metrics of the gateway, which count responses as callers get them: a service that has died counts no 502. Every label value exists
 * from the start with 0, because `increase` would miss the first request of a series that appears with it.
 * @param isUp whether the gateway itself responds; called for each scrape
 */
export function createGatewayMetrics(registry: Registry, isUp: () => Promise<boolean>): GatewayMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'gateway_requests_total',
    help: 'Requests to the gateway, by the service behind their path and the class of the status.',
    labelNames: ['service', 'class'],
    registers,
  });
  const duration = new Histogram({
    name: 'gateway_request_duration_seconds',
    help: 'Duration of requests as nginx measures it, by service. Excludes event streams and waiting claims of jobs.',
    labelNames: ['service'],
    // 0.25 is the limit of the objective
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const unreadable = new Counter({
    name: 'gateway_unreadable_lines_total',
    help: 'Datagrams that are not lines of the access log.',
    registers,
  });
  new Gauge({
    name: 'gateway_up',
    help: 'Whether the gateway responds to /health.',
    registers,
    async collect() {
      this.set((await isUp()) ? 1 : 0);
    },
  });
  for (const service of services) {
    duration.zero({ service });
    for (const name of classes) requests.inc({ service, class: name }, 0);
  }
  return {
    count(datagram) {
      const found = line.safeParse(parsed(datagram.slice(datagram.indexOf('{'))));
      if (!found.success) {
        unreadable.inc();
        return;
      }
      const { status, seconds, behind, waits } = found.data;
      const service = behind === '' ? 'none' : behind;
      requests.inc({ service, class: classOf(status) });
      if (waits === '') duration.observe({ service }, seconds);
    },
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function classOf(status: number): (typeof classes)[number] {
  return classes.find((name) => name.startsWith(String(Math.floor(status / 100)))) ?? 'other';
}
