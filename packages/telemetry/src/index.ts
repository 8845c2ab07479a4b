export {
  addLogFields,
  arrivedAt,
  logContext,
  requestAgeMicros,
  withLogContext,
  type LogFields,
} from './log-context.ts';
export { metricsOnce } from './metrics-once.ts';
export { redact } from './redact.ts';
export { createTelemetry, type Logger, type Telemetry } from './telemetry.ts';
export {
  injectTrace,
  openExtractedTrace,
  SpanKind,
  traceId,
  withExtractedTrace,
  withSpan,
  type TraceCarrier,
} from './tracing.ts';
