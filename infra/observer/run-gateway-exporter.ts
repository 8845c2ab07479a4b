// node infra/observer/run-gateway-exporter.ts: counts the requests of the gateway, which sends each line of its access log here
// (GATEWAY_METRICS_LOG), and serves them under /metrics. Where it can see PostgreSQL's disk, it also measures the free space.
import { networkInterfaces } from 'node:os';
import { fields, readEnvOrExit } from '@taskwire/env';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { receiveAccessLog } from './access-log-receiver.ts';
import { diskPath, observeDatabaseDisk } from './database-disk.ts';
import { createGatewayMetrics } from './gateway-metrics.ts';
import { serveMetrics } from './metrics-server.ts';
import { warn } from './warn.ts';

const env = readEnvOrExit(
  z.object({
    HOST: z.string().default('127.0.0.1'),
    PORT: z.coerce.number().int().default(9145),
    /** The address and UDP port that nginx sends its lines to. They are counted unseen, so only nginx may reach it. */
    LOG_HOST: z.string().default('127.0.0.1'),
    LOG_PORT: z.coerce.number().int().default(9145),
    GATEWAY_URL: z.url(),
    /** A folder on the disk of PostgreSQL's data; without it, the disk is not measured. */
    DATABASE_DISK_PATH: diskPath().optional(),
    DATABASE_DISK_LIMIT_BYTES: z.coerce.number().positive().optional(),
    /**
     * With docker compose, this process is in the network of the gateway's container. If that container restarts, it has a new network, and only a restart
     * of this process leads there.
     */
    EXIT_WITHOUT_NETWORK: fields.flag.default(false),
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
  // a request that the gateway's own limits refuse has a response too
  return response?.ok === true || response?.status === 429;
});

const hasNetwork = () =>
  Object.values(networkInterfaces()).some((one) => one?.some(({ internal }) => !internal) === true);

if (env.DATABASE_DISK_PATH !== undefined) {
  const { DATABASE_DISK_PATH: path, DATABASE_DISK_LIMIT_BYTES: limitBytes } = env;
  observeDatabaseDisk(registry, {
    path,
    ...(limitBytes !== undefined && { limitBytes }),
    timeoutMs: responseTimeoutMs,
    onFailure: (reason) => warn("the disk of PostgreSQL's data cannot be measured", { path, reason }),
  });
}
await receiveAccessLog(metrics, { host: env.LOG_HOST, port: env.LOG_PORT });
await serveMetrics(registry, { host: env.HOST, port: env.PORT });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
if (env.EXIT_WITHOUT_NETWORK) setInterval(() => hasNetwork() || process.exit(1), 5_000);
