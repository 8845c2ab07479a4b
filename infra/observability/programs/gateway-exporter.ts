// node infra/observability/programs/gateway-exporter.ts: counts the requests of the gateway, which sends each line of its access log here
// (GATEWAY_METRICS_LOG), and serves them under /metrics.
import { readEnvOrExit } from '@taskwire/env';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { receiveAccessLog } from '../access-log-receiver.ts';
import { createGatewayMetrics } from '../gateway-metrics.ts';
import { serveMetrics } from '../metrics-server.ts';

const env = readEnvOrExit(
  z.object({
    HOST: z.string().default('127.0.0.1'),
    PORT: z.coerce.number().int().default(9145),
    /** The UDP port that nginx sends its lines to. */
    LOG_PORT: z.coerce.number().int().default(9145),
    GATEWAY_URL: z.url(),
  }),
  process,
);

// shorter than Prometheus's timeout of a scrape
const responseTimeoutMs = 2_000;

const registry = new Registry();
const metrics = createGatewayMetrics(registry, async () => {
  const response = await fetch(new URL('/health', env.GATEWAY_URL), {
    signal: AbortSignal.timeout(responseTimeoutMs),
  }).catch(() => undefined);
  await response?.body?.cancel();
  return response?.ok === true;
});

await receiveAccessLog(metrics, { host: env.HOST, port: env.LOG_PORT });
await serveMetrics(registry, { host: env.HOST, port: env.PORT });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
