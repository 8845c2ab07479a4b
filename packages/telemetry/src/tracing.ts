import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace-base';

/** W3C trace context as it travels in headers: https://www.w3.org/TR/trace-context/ */
export type TraceCarrier = { traceparent?: string; tracestate?: string };

let registered = false;

/**
 * Makes this process take part in traces. Idempotent, because OpenTelemetry's registrations are global to a process and tests wire
 * several services into one. Span processors (exporters) of later calls are ignored.
 */
export function registerTracing(spanProcessors: SpanProcessor[] = []): void {
  if (registered) return;
  registered = true;
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
}

/** The active trace as headers to send along; empty outside of a trace. */
export function injectTrace(): TraceCarrier {
  const carrier: TraceCarrier = {};
  propagation.inject(context.active(), carrier);
  return carrier;
}

/** The id of the active trace, 32 hex digits, for logs. */
export function traceId(): string | undefined {
  return trace.getActiveSpan()?.spanContext().traceId;
}

/**
 * Runs `fn` in a span of its own that continues the trace of the carrier, or starts one when the carrier holds none (or nonsense).
 * The span ends with `fn`; a rejection marks it as failed and is passed on.
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
  const span = trace.getTracer('taskwire').startSpan(name, { kind }, parent);
  try {
    return await context.with(trace.setSpan(parent, span), fn);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

export { SpanKind };
