import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, RandomIdGenerator, type SpanProcessor } from '@opentelemetry/sdk-trace-base';

/** W3C trace context as transmitted in headers: https://www.w3.org/TR/trace-context/ */
export type TraceCarrier = { traceparent?: string | undefined; tracestate?: string | undefined };

let registered = false;
/** Whether spans are exported. Otherwise only their ids are generated, at a tenth of the cost. */
let recording = false;
const ids = new RandomIdGenerator();

/**
 * Registers this process for tracing. Idempotent, because OpenTelemetry's registrations are global to a process, and tests run several services in
 * one. Span processors (exporters) of later calls are ignored.
 */
export function registerTracing(spanProcessors: SpanProcessor[] = []): void {
  if (registered) return;
  registered = true;
  recording = spanProcessors.length > 0;
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
}

/** Returns the active trace as headers to send; empty outside a trace. */
export function injectTrace(): TraceCarrier {
  const carrier: TraceCarrier = {};
  propagation.inject(context.active(), carrier);
  return carrier;
}

/** Returns the id of the active trace, 32 hex digits, for logs. */
export function traceId(): string | undefined {
  return trace.getActiveSpan()?.spanContext().traceId;
}

/**
 * Runs `fn` in its own span, which continues the trace of the carrier, or starts a new trace if the carrier has no valid one. The span ends with
 * `fn`. A rejection marks it as failed and is passed on.
 */
export async function withExtractedTrace<T>(
  carrier: TraceCarrier,
  spanName: string,
  fn: () => Promise<T>,
  kind: SpanKind = SpanKind.CONSUMER,
): Promise<T> {
  return await inSpan(propagation.extract(ROOT_CONTEXT, carrier), spanName, kind, fn);
}

/** Runs `fn` in a child span of the active one, for a call to another service. */
export async function withSpan<T>(spanName: string, fn: () => Promise<T>): Promise<T> {
  return await inSpan(context.active(), spanName, SpanKind.CLIENT, fn);
}

async function inSpan<T>(parent: Context, name: string, kind: SpanKind, fn: () => Promise<T>): Promise<T> {
  const span = startSpan(parent, name, kind);
  try {
    return await context.with(trace.setSpan(parent, span), fn);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/**
 * Runs `fn` immediately in a span that continues the trace of the carrier, for work that ends with an event instead of a promise. The caller ends the
 * span with `end`.
 */
export function openExtractedTrace(carrier: TraceCarrier, spanName: string, fn: (end: () => void) => void): void {
  const parent = carrier.traceparent === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, carrier);
  const span = startSpan(parent, spanName, SpanKind.SERVER);
  context.with(trace.setSpan(parent, span), () => fn(() => span.end()));
}

function startSpan(parent: Context, name: string, kind: SpanKind): Span {
  if (recording) return trace.getTracer('taskwire').startSpan(name, { kind }, parent);
  const parentSpan = trace.getSpanContext(parent);
  const spanId = ids.generateSpanId();
  // the trace continues with a span id of this process, so that recipients see that the trace passed through this process
  if (parentSpan === undefined)
    return trace.wrapSpanContext({ traceId: ids.generateTraceId(), spanId, traceFlags: TraceFlags.SAMPLED });
  return trace.wrapSpanContext({ ...parentSpan, spanId, isRemote: false });
}

export { SpanKind };
