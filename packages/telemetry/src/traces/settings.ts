/** OpenTelemetry's names of samplers: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
export type SamplerName =
  | 'always_on'
  | 'always_off'
  | 'traceidratio'
  | 'parentbased_always_on'
  | 'parentbased_always_off'
  | 'parentbased_traceidratio';

/** Where the spans of a process go, and which traces are recorded. */
export type TraceSettings = {
  /** The base URL of an OTLP/HTTP receiver; `/v1/traces` is appended. */
  endpoint: string;
  /** Sent with each request, for receivers that require credentials. */
  headers: Readonly<Record<string, string>>;
  encoding: 'http/protobuf' | 'http/json';
  /** Further attributes of every span, such as `deployment.environment.name`. */
  resource: Readonly<Record<string, string>>;
  sampler: SamplerName;
  /** The share of traces that the ratio samplers record, from 0 to 1. */
  ratio: number;
  /** The maximum number of ended spans that wait to be sent. Further spans are dropped. */
  maxQueuedSpans: number;
};
