// node infra/observer/run-probe.ts: runs the main flow through the gateway once a minute, and serves the results under /metrics.
// PROBE_MANAGER and PROBE_MEMBER (email:password) are accounts with those roles and a verified address, reserved for the probe.
import { setTimeout as delay } from 'node:timers/promises';
import { readEnvOrExit } from '@taskwire/env';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { serveMetrics } from './metrics-server.ts';
import { createProbe } from './probe.ts';
import { warn } from './warn.ts';

const account = z
  .string()
  .regex(/^[^:]+:.+$/, 'must be email:password')
  .transform((text) => ({ email: text.slice(0, text.indexOf(':')), password: text.slice(text.indexOf(':') + 1) }));

const env = readEnvOrExit(
  z.object({
    HOST: z.string().default('127.0.0.1'),
    PORT: z.coerce.number().int().default(9146),
    GATEWAY_URL: z.url(),
    PROBE_MANAGER: account,
    PROBE_MEMBER: account,
    PROBE_EVERY_MS: z.coerce.number().int().positive().default(60_000),
  }),
  process,
);

const registry = new Registry();
const probe = createProbe({
  url: env.GATEWAY_URL.replace(/\/$/, ''),
  manager: env.PROBE_MANAGER,
  member: env.PROBE_MEMBER,
  everyMs: env.PROBE_EVERY_MS,
  registry,
  onFailure: (check, reason) => warn('a check has not passed', { check, reason }),
});
await serveMetrics(registry, { host: env.HOST, port: env.PORT });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
for (;;) {
  await Promise.all([probe.run(), delay(env.PROBE_EVERY_MS)]);
}
