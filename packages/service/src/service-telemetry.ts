import type { ObservabilityEnv, ServiceEnv } from '@taskwire/env';
import { release } from '@taskwire/postgres';
import { openTelemetry, type Telemetry } from '@taskwire/telemetry';

/** Creates the logs, metrics, traces and error reports of a service from its environment. */
export async function openServiceTelemetry(
  service: string,
  env: ObservabilityEnv & Pick<ServiceEnv, 'LOG_LEVEL'>,
): Promise<Telemetry> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, SENTRY_DSN: dsn } = env;
  const traces = endpoint === undefined ? undefined : { endpoint, ...tracesOf(env) };
  const sentry = dsn === undefined ? undefined : { dsn, environment: env.SENTRY_ENVIRONMENT };
  return await openTelemetry({ service, release, level: env.LOG_LEVEL, traces, sentry });
}

function tracesOf(env: ObservabilityEnv) {
  return {
    headers: env.OTEL_EXPORTER_OTLP_HEADERS,
    encoding: env.OTEL_EXPORTER_OTLP_PROTOCOL,
    resource: env.OTEL_RESOURCE_ATTRIBUTES,
    sampler: env.OTEL_TRACES_SAMPLER,
    ratio: env.OTEL_TRACES_SAMPLER_ARG,
    maxQueuedSpans: env.OTEL_BSP_MAX_QUEUE_SIZE,
  };
}
