import { z } from 'zod';
import { httpUrl, integer, keyValues, ratio } from './fields.ts';

/** The variables by which a service sends traces and error reports. The names and values are OpenTelemetry's and Sentry's own. */
export const observabilityFields = {
  /** The base URL of a receiver of OTLP over HTTP, such as http://collector:4318. Without it, no spans are recorded. */
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
  /** Headers of requests to the receiver, such as api-key=secret. */
  OTEL_EXPORTER_OTLP_HEADERS: keyValues.prefault(''),
  OTEL_EXPORTER_OTLP_PROTOCOL: z.enum(['http/protobuf', 'http/json']).default('http/protobuf'),
  /** Attributes of every span, such as deployment.environment.name=production. */
  OTEL_RESOURCE_ATTRIBUTES: keyValues.prefault(''),
  /** Which traces are recorded. The samplers that begin with parentbased_ follow the decision of the caller, if there is one. */
  OTEL_TRACES_SAMPLER: z
    .enum([
      ...(['always_on', 'always_off', 'traceidratio'] as const),
      ...(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const),
    ])
    .default('parentbased_always_on'),
  /** The share of traces that the ratio samplers record. */
  OTEL_TRACES_SAMPLER_ARG: ratio.default(1),
  /** How many ended spans may wait to be sent; more are dropped. 2,048 spans take about 4 MB. */
  OTEL_BSP_MAX_QUEUE_SIZE: integer(1, 100_000).default(2_048),
  /** The project that gets error reports, such as https://key@sentry.example.com/1. Without it, no errors are reported. */
  SENTRY_DSN: z
    .string()
    .regex(
      /^https?:\/\/[0-9a-zA-Z]+@[^\s/@]+(\/[^\s]*)?\/\d+$/,
      'must be a DSN such as https://key@sentry.example.com/1',
    )
    .optional(),
  /** Shown with each error report. */
  SENTRY_ENVIRONMENT: z
    .string()
    .regex(/^[^\s/]{1,64}$/, 'must be at most 64 characters, without spaces and slashes')
    .default('production'),
};

export const observabilityEnv = z.object(observabilityFields);
export type ObservabilityEnv = z.output<typeof observabilityEnv>;
