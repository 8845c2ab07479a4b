export {
  addLogFields,
  addLogTask,
  arrivedAt,
  logContext,
  notedFailure,
  noteFailure,
  requestAgeMicros,
  withLogContext,
  type LogFields,
} from './log-context.ts';
export { metricsOnce } from './metrics-once.ts';
export { redact } from './redact.ts';
export { createTelemetry, type Logger, type Telemetry } from './telemetry.ts';
export { errorTypeOf } from './error-type.ts';
export { measuredGauge } from './measured-gauge.ts';
export { openTelemetry } from './open-telemetry.ts';
export type { ReportError } from './error-reports/report.ts';
export {
  failSpan,
  injectTrace,
  openExtractedTrace,
  openMessageSpan,
  recordedSpan,
  SpanKind,
  traceId,
  withExtractedTrace,
  withLinkedSpan,
  withoutRecording,
  withSpan,
  type Span,
  type SpanContext,
  type TraceCarrier,
} from './tracing.ts';
