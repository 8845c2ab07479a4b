import { readEnvOrExit } from '@taskwire/env';
import { runProcess } from '@taskwire/lifecycle';
import { env } from './env.ts';
import { wire } from './wire.ts';

const settings = readEnvOrExit(env, process);
const { components, telemetry } = await wire(settings);
await runProcess({ components, telemetry, shutdownTimeoutMs: settings.SHUTDOWN_TIMEOUT_MS });
